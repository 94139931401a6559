"""The keys of the three tables of `data=table`, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from recsys import schema
from recsys.data.sources.columns import Column, identifier, part, rating, timestamp
from recsys.data.sources.csv_table import separator_of
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, is_number


@dataclass(frozen=True)
class Interactions:
    """The table of interactions.

    Attributes:
        file: Its file, in `data.path`.
        user: Column of the user's id.
        item: Column of the item's id.
        rating: Column of the rating; null if there is none.
        timestamp: Column of the time; null if there is none.
        timestamp_unit: auto, by the values; s, ms, us or ns since 1970; iso; or a format such as %Y-%m-%d.
        min_rating: Interactions with a lower rating are not positives, as with `split.min_rating`, and are counted.
            Repeated pairs are merged before. Null keeps all.
        part: Column that assigns interactions to train, val or test, for split=given; null ignores it. The default
            column may be missing.
        nested: In jsonl, column that is a list of objects, each an interaction; the other columns apply to all of them.
        separator: Separator of its columns, if it is a text file; null: that of `data.separator`.
    """

    file: str
    user: str = "user_id"
    item: str = "item_id"
    rating: str | None = None
    timestamp: str | None = None
    timestamp_unit: str = "auto"
    min_rating: float | None = None
    part: str | None = schema.PART
    nested: str | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        check_texts(self, "data.interactions", "file", "user", "item", "timestamp_unit")
        object.__setattr__(self, "separator", separator_of(self.separator, "data.interactions.separator"))
        if self.min_rating is not None and self.rating is None:
            raise ConfigError("data.interactions.min_rating needs the ratings' column: data.interactions.rating.")
        check_number("data.interactions.min_rating", self.min_rating, optional=True)

    def columns(self, decimal_comma: bool = False) -> dict[str, Column]:
        """The columns to read, by their names in the data set; with `decimal_comma`, ratings are written as 4,5."""
        key = "data.interactions."
        found = {
            schema.USER_ID: identifier(self.user, f"{key}user"),
            schema.ITEM_ID: identifier(self.item, f"{key}item"),
        }
        if self.rating:
            found[schema.VALUE] = rating(self.rating, f"{key}rating", "data.decimal_comma", decimal_comma)
        if self.timestamp:
            unit_key = f"{key}timestamp_unit"
            found[schema.TIMESTAMP] = timestamp(self.timestamp, self.timestamp_unit, f"{key}timestamp", unit_key)
        if self.part:
            found[schema.PART] = part(self.part, f"{key}part")
        return found


@dataclass(frozen=True)
class Items:
    """The table of items.

    Attributes:
        file: Its file, in `data.path`; null if there is none (items then have no text).
        id: Column of the item's id.
        template: The template of an item's text, over the table's columns: "{title}. {genres}"; null gives no text.
        categories: Column of the item's categories; null if there is none.
        categories_separator: Separator of categories if the column is not a list.
        unknown: Treatment of interactions of items that the table lacks: `error`, or `drop` and count them.
        columns: Names of the columns of a file without a header; null if it has one.
        separator: Separator of its columns, if it is a text file; null: that of `data.separator`.
    """

    file: str | None = None
    id: str = "item_id"
    template: str | None = None
    categories: str | None = None
    categories_separator: str = "|"
    unknown: str = "error"
    columns: Sequence[str] | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        check_texts(self, "data.items", "id", "categories_separator")
        object.__setattr__(self, "separator", separator_of(self.separator, "data.items.separator"))
        object.__setattr__(self, "columns", names_of(self.columns, "data.items.columns"))


@dataclass(frozen=True)
class Users:
    """The table of users.

    Attributes:
        file: Its file, in `data.path`; null if there is none.
        id: Column of the user's id.
        columns: Names of the columns of a file without a header; null if it has one.
        separator: Separator of its columns, if it is a text file; null: that of `data.separator`.
    """

    file: str | None = None
    id: str = "user_id"
    columns: Sequence[str] | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        check_texts(self, "data.users", "id")
        object.__setattr__(self, "separator", separator_of(self.separator, "data.users.separator"))
        object.__setattr__(self, "columns", names_of(self.columns, "data.users.columns"))


def check_texts(table: Any, key: str, *filled: str) -> None:
    """Raise an error for values of a table's keys that are not strings; those of `filled` must not be null or empty.

    Raises:
        ConfigError: With the key and its value.
    """
    others = {"min_rating", "columns"}
    for field in fields(table):
        value = getattr(table, field.name)
        is_text = isinstance(value, str) and (value or field.name not in filled)
        if field.name not in others and not is_text and (value is not None or field.name in filled):
            raise ConfigError(f"{key}.{field.name} is {value!r}; expected a text{_quoting(value)}.")


def _quoting(value: object) -> str:
    return f" (a column that is called so is written \"'{value}'\")" if is_number(value) else ""


def names_of(names: Any, key: str) -> list[str] | None:
    """Names of columns as a plain list, or None.

    Raises:
        ConfigError: If they are not distinct, non-empty strings.
    """
    if names is None:
        return None
    listed = [] if isinstance(names, str) or not isinstance(names, Sequence) else list(names)
    if not listed or not all(isinstance(name, str) and name for name in listed) or len(set(listed)) < len(listed):
        raise ConfigError(
            f"{key} is {names!r}; expected different names, one for each column, as in [user_id,item_id]."
        )
    return listed
