"""The terminal shows every text as it is."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from recsys.support.screen import Screen


@pytest.mark.parametrize(
    "text", ["[unknown]", "[/b] red", "[bold]x[/bold]", ":car:", "[link=http://x]y[/link]", "\\[a]"]
)
@pytest.mark.parametrize("in_table", [True, False])
def test_markup_and_emoji_codes_are_text(text, in_table):
    shown: object = text
    if in_table:
        shown = Table(title=text)
        shown.add_column(text)
        shown.add_row(text)
    screen = Screen(file=io.StringIO(), width=80)
    screen.print(shown)
    assert screen.file.getvalue().count(text) == (3 if in_table else 1)


@pytest.mark.parametrize("control", ["\x1b[2J", "\x1b]0;title\x07", "\x9b2J", "\x08", "\x7f", "\u202e"])
def test_control_characters_do_not_reach_the_terminal(control):
    screen = Screen(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    screen.print(f"a{control}b", style="red")
    assert control not in screen.file.getvalue()
    assert "\x1b[31m" in screen.file.getvalue()
