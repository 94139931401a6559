"""Protection against texts that a spreadsheet would evaluate as formulas (CSV injection)."""

from __future__ import annotations

import re

import polars as pl

_FORMULA = "^\\s*[=+@\uff1d\uff0b\uff0d\uff20-]|^[\t\r]"  # with the full-width forms
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?%?"


def harmless_text(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet would evaluate it as a formula; numbers are unchanged.

    Example:
        >>> [harmless_text(text) for text in ("=cmd()", "@user", "-0.5", "a=b")]
        ["'=cmd()", "'@user", '-0.5', 'a=b']
    """
    is_formula = re.match(_FORMULA, text) and not re.fullmatch(_NUMBER, text)
    return f"'{text}" if is_formula else text


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with `harmless_text` applied to its strings and column names; lists are unchanged."""
    columns = [_harmless(name) for name, dtype in frame.schema.items() if dtype == pl.String]
    return frame.with_columns(columns).rename({name: harmless_text(name) for name in frame.columns})


def _harmless(column: str) -> pl.Expr:
    texts = pl.col(column)
    is_formula = texts.str.contains(_FORMULA) & ~texts.str.contains(f"^(?:{_NUMBER})$")
    return pl.when(is_formula).then(pl.concat_str(pl.lit("'"), texts)).otherwise(texts).alias(column)
