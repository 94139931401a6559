"""Texts from a template over the columns of a table."""

from __future__ import annotations

from string import Formatter

import polars as pl

from recsys.schema import ConfigError
from recsys.support.near_names import nearest

_PUNCTUATION = " \t\n.,;:|/-–—"


def fields(template: str, key: str = "data.template") -> list[tuple[str, str]]:
    """The template as (literal, field) pairs: each literal belongs to the field after it.

    Raises:
        ConfigError: If the template is malformed.

    Example:
        >>> fields("{title}. {genres}")
        [('', 'title'), ('. ', 'genres')]
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(f"{key}={template!r} is malformed ({error}); write '{{title}}. {{genres}}'.") from error
    if any(spec or conversion or name == "" for _, name, spec, conversion in parts):
        raise ConfigError(f"{key}={template!r}: a field is a column's name and nothing else, as in '{{title}}'.")
    return [(literal, name or "") for literal, name, _, _ in parts]


def require_fields(columns: list[str], template: str, label: str, key: str = "data.template") -> None:
    """Check that the fields of a template are columns of the table called `label`.

    Raises:
        ConfigError: If a field is not a column, or there is no field; the message lists the columns.
    """
    names = [name for _, name in fields(template, key)]
    if template and not any(names):
        example = template if template in columns else columns[-1]
        raise ConfigError(
            f"{key}={template!r} has no field: put names of columns in braces, as in '{{{example}}}'; {label} has "
            f"{', '.join(columns)}."
        )
    for name in names:
        if name and name not in columns:
            raise ConfigError(
                f"{key}: {label} has no column '{name}'; it has {', '.join(columns)}{nearest(name, columns) or '.'}"
            )


def render(frame: pl.DataFrame, template: str, key: str = "data.template") -> pl.Series:
    """One text for each row, empty if all fields are empty.

    If a field is empty, the literal text before it is dropped too.

    Example:
        >>> films = pl.DataFrame({"title": ["Heat", None, ""], "genres": [["Action", "Crime"], ["Drama"], []]})
        >>> render(films, "{title}. {genres}").to_list()
        ['Heat. Action, Crime', 'Drama', '']
    """
    pairs = fields(template, key)
    names = [name for _, name in pairs if name]
    if not names:
        return pl.Series("text", [""] * frame.height, dtype=pl.String)
    filled = frame.select(_as_text(frame, name).alias(name) for name in dict.fromkeys(names))
    pieces = [pl.when(pl.col(name) != "").then(pl.lit(literal) + pl.col(name)) for literal, name in pairs if name]
    tail = "".join(literal for literal, name in pairs if not name)
    text = pl.concat_str(pieces, ignore_nulls=True)
    text = pl.when(pl.col(names[0]) == "").then(text.str.strip_chars_start(_PUNCTUATION)).otherwise(text)
    return filled.select(pl.when(text != "").then(text + tail).otherwise(pl.lit("")).alias("text"))["text"]


def _as_text(frame: pl.DataFrame, name: str) -> pl.Expr:
    column = pl.col(name)
    if isinstance(frame.schema[name], pl.List):
        column = column.list.join(", ")
    return column.fill_null("").str.strip_chars()
