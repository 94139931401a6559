"""Times of several formats as whole microseconds since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import polars as pl

from recsys import schema
from recsys.schema import ConfigError

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
AUTO, ISO = "auto", "iso"
KNOWN = f"{ISO}, {', '.join(UNITS)} or a % format"
_YEAR_1971, _YEAR_2100 = 31_536_000, 4_102_444_800
_ISO_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_ZONE = r"(?:Z|z| ?UTC|(?P<zone> ?[+-]\d{2}:?\d{2}|[+-]\d{2}))$"
_DATE_TIME = r"^(?P<date>\d{4}-\d\d-\d\d)(?:[Tt ](?P<time>\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?))?"


def parser(unit: str, key: str = "") -> Callable[[pl.Expr], pl.Expr]:
    """The parser of times in a unit; it returns null for values that are not times between 1970 and 2100.

    Raises:
        ConfigError: If the unit is unknown.
    """
    if isinstance(unit, str) and "%" in unit:
        if "%f" in unit.replace(".%f", ""):
            raise ConfigError(f"{key or 'timestamp unit'}={unit}: write a fraction of a second as %S.%f.")
        return partial(_written, unit=unit)
    if unit == ISO:
        return _iso
    if unit not in UNITS:
        raise ConfigError(f"{key or 'timestamp unit'}={unit} is unknown; use {AUTO}, {KNOWN}.")
    return partial(_counted, unit=unit)


def expected(unit: str, key: str = "", is_detected: bool = False) -> str:
    """The expected form of a time of a unit, for messages.

    Args:
        unit: The unit.
        key: The configuration's key of the unit; empty if there is none.
        is_detected: Whether the unit was detected from the values.
    """
    others = f", as most values of the column; if they have another form, set {key}" if is_detected else ""
    if "%" in unit:
        return f"a time written as {unit}" + (others or (f" ({key})" if key else ""))
    if unit == ISO:
        return f"a time between 1970 and 2100 such as 2020-09-13 or 2020-09-13T12:26:40.5+02:00{others}"
    advice = f"; if it has another form, set {key}=auto, or to its form" if key else ""
    return f"a time between 1970 and 2100 in {unit} since 1970{others or advice}"


def guess(texts: pl.Series) -> str | None:
    """The unit of times, by the format of most values; a number has the unit that puts it between 1971 and 2100.

    None if no unit fits at least half of the numbers.

    Example:
        >>> guess(pl.Series(["1600000000123"])), guess(pl.Series(["2020-09-13"])), guess(pl.Series(["noon"]))
        ('ms', 'iso', None)
        >>> guess(pl.Series(["2020-09-13", "2020-09-14", "0"]))
        'iso'
    """
    n_written = texts.to_frame("time").select(_iso(pl.col("time")).is_not_null().sum()).item()
    numbers = as_numbers(texts)
    if n_written >= max(1, len(numbers)):
        return ISO
    counts = {
        unit: int(numbers.is_between(_YEAR_1971 * n, _YEAR_2100 * n, closed="left").sum()) for unit, n in UNITS.items()
    }
    best = max(counts, key=lambda unit: counts[unit])
    return best if 2 * counts[best] >= max(1, len(numbers)) else None


def are_small_numbers(texts: pl.Series) -> bool:
    """Whether at least half of the values are numbers that are times as seconds since 1970, such as counted steps.

    Example:
        >>> are_small_numbers(pl.Series(["1", "2", "noon"])), are_small_numbers(pl.Series(["-1", "noon"]))
        (True, False)
    """
    n = int(as_numbers(texts).is_between(0, _YEAR_2100, closed="left").sum())
    return 2 * n >= max(1, len(texts))


def as_numbers(texts: pl.Series) -> pl.Series:
    """The values that are finite numbers, as floats."""
    numbers = texts.str.strip_chars().cast(pl.Float64, strict=False)
    return numbers.filter(numbers.is_finite())


def _counted(text: pl.Expr, unit: str) -> pl.Expr:
    """Whole numbers are converted exactly; decimals are rounded to microseconds."""
    trimmed, per_second = text.str.strip_chars(), UNITS[unit]
    whole = _in_range(trimmed.cast(pl.Int64, strict=False), per_second)
    exact = (
        whole // (per_second // schema.MICROSECONDS) if unit == "ns" else whole * (schema.MICROSECONDS // per_second)
    )
    decimal = _in_range(trimmed.cast(pl.Float64, strict=False), per_second)
    rounded = (decimal * (schema.MICROSECONDS / per_second)).round().cast(pl.Int64)
    return pl.coalesce(exact, rounded)


def _written(text: pl.Expr, unit: str) -> pl.Expr:
    """Times of a format; `.%f` is a fraction of a second as in Python, and `%z` takes Z for UTC."""
    trimmed = text.str.strip_chars()
    if unit.endswith("%z"):
        trimmed = trimmed.str.replace(r"[Zz]$", "+0000")
    form = unit.replace(".%f", "%.f")
    time = trimmed.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us")
    return _in_range(time, schema.MICROSECONDS)


def _iso(text: pl.Expr) -> pl.Expr:
    """A date, or a date and a time with or without seconds, fractions and a zone; UTC without a zone."""
    trimmed = text.str.strip_chars()
    has_form = trimmed.str.contains(f"{_DATE_TIME}(?:{_ZONE}|$)")
    parts = trimmed.str.extract_groups(_DATE_TIME).struct
    time = pl.when(has_form).then(
        pl.concat_str(
            [parts.field("date"), parts.field("time").str.replace(",", ".", literal=True)],
            separator=" ",
            ignore_nulls=True,
        )
    )
    local = pl.coalesce(
        time.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us") for form in _ISO_FORMATS
    )
    zone = pl.when(parts.field("time").is_not_null()).then(trimmed.str.extract(_ZONE, 1).str.strip_chars())
    hours, rest = zone.str.slice(1, 2), zone.str.extract(r"^[+-]\d\d:?(\d\d)$")
    minutes = hours.cast(pl.Int64) * 60 + rest.cast(pl.Int64).fill_null(0)
    signed = pl.when(zone.str.starts_with("-")).then(-minutes).otherwise(minutes).fill_null(0)
    return _in_range(local - signed * 60 * schema.MICROSECONDS, schema.MICROSECONDS)


def _in_range(time: pl.Expr, per_second: int) -> pl.Expr:
    return pl.when(time.is_between(0, _YEAR_2100 * per_second, closed="left")).then(time)
