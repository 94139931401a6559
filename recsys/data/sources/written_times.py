"""Detection of the format of times such as 31.12.2020 from the values of a column."""

from __future__ import annotations

from itertools import product

import polars as pl

from recsys.data.sources import times

_DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%b %d, %Y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # by the number of digits
COMPACT_MINUTES = _COMPACT[12]  # its digits are also those of milliseconds of 1976
FORMATS = (*(day + clock for day, clock in product(_DAYS, _CLOCKS)), *_COMPACT.values())
_TYPING_ERRORS = 0.1  # another format is ambiguous from this ratio on: values only it fits / values only the best fits


def fitting(texts: pl.Series) -> list[str]:
    """The formats of `FORMATS` that fit a column: one, none, or several that give different times.

    The format that fits most values is returned first. Another one is returned too if hardly any value decides between
    them: 01/02/2024 may be in January or in February.

    Args:
        texts: The column, or its distinct values.

    Example:
        >>> fitting(pl.Series(["01/02/2024", "13/02/2024"])), fitting(pl.Series(["01/02/2024"]))
        (['%d/%m/%Y'], ['%d/%m/%Y', '%m/%d/%Y'])
    """
    digits = texts.str.strip_chars().str.extract(r"^(\d+)$").str.len_chars()
    parsed = texts.to_frame("time").select(
        times.parser(form)(pl.col("time")).alias(form) for form in FORMATS if form not in _COMPACT.values()
    )
    compact = texts.to_frame("time").select(
        pl.when(digits == n).then(times.parser(form)(pl.col("time"))).alias(form) for n, form in _COMPACT.items()
    )
    found = parsed.hstack(compact)
    best = max(FORMATS, key=lambda form: found[form].count())
    if not found[best].count():
        return []
    return [best, *(form for form in FORMATS if form != best and _is_as_good(found[form], found[best]))]


def is_compact(texts: pl.Series) -> bool:
    """Whether most values are dates and times of 12 digits, such as 202401311305.

    Example:
        >>> is_compact(pl.Series(["202401311305"])), is_compact(pl.Series(["202491311305"]))
        (True, False)
    """
    has_length = pl.col("time").str.contains(r"^\s*\d{12}\s*$")
    fits = has_length & times.parser(COMPACT_MINUTES)(pl.col("time")).is_not_null()
    return 2 * int(texts.to_frame("time").select(fits.sum()).item()) > len(texts)


def _is_as_good(other: pl.Series, best: pl.Series) -> bool:
    """Whether another format gives other times or fits further values, and fits nearly as many values as the best."""
    only_best = int((best.is_not_null() & other.is_null()).sum())
    only_other = int((other.is_not_null() & best.is_null()).sum())
    differs = bool((other != best).any()) or only_other > 0
    return differs and only_best * _TYPING_ERRORS <= only_other
