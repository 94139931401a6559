"""Colours."""

from __future__ import annotations

import pytest

from recsys.reports.plots.theme import DARK, LIGHT


def luminance(colour: str) -> float:
    """WCAG 2.1's relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_told_from_what_they_stand_on(colours):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for behind in (colours.page, colours.surface, colours.soft, colours.better, colours.worse, colours.neutral):
        assert contrast(colours.text, behind) >= 4.5
    for behind in (colours.page, colours.surface, colours.soft):
        assert contrast(colours.muted, behind) >= 4.5
        assert contrast(colours.accent, behind) >= 4.5
    for colour in colours.categories:
        assert contrast(colour, colours.surface) >= 3
