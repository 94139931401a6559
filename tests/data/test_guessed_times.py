"""The unit of a column of times is that of most of its values."""

from __future__ import annotations

import polars as pl
import pytest

from recsys.data.sources.times import guess

DATES = [f"2020-09-{day:02}" for day in range(10, 20)]
SECONDS = [str(1_600_000_000 + n) for n in range(10)]


@pytest.mark.parametrize(
    ("texts", "unit"),
    [
        ([*DATES, "1600000000"], "iso"),
        ([*DATES, "0"], "iso"),
        ([*SECONDS, "2020-09-13"], "s"),
        (["2020-09-13", "1600000000"], "iso"),
        ([*DATES, *SECONDS[:9], "noon", "noon"], "iso"),
        (["7", "8", "2020-09-13"], None),
        ([*SECONDS, "1600000000000"], "s"),
        ([*SECONDS[:4], *["0"] * 5], None),
    ],
)
def test_the_majority_decides(texts, unit):
    assert guess(pl.Series(texts)) == unit
