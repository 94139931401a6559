"""Anybody's table: csv, tsv, parquet, jsonl (also .gz), or RecBole's atomic files, by configuration alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.filters import rated_at_least, reindexed
from recsys.data.sources.atomic import ATOMIC, AtomicTable
from recsys.data.sources.base import Source
from recsys.data.sources.columns import (
    Column,
    UnknownItems,
    check_unit,
    identifier,
    part,
    rating,
    read_columns,
    read_side_table,
    refuse_unknown,
    require,
    timestamp,
)
from recsys.data.sources.indexing import IDLE_USERS, index
from recsys.data.sources.raw import RawFile, existing
from recsys.data.sources.tables import CsvTable, JsonLinesTable, ParquetTable, RawTable
from recsys.data.sources.text import render, require_fields
from recsys.schema import ConfigError

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"} | dict.fromkeys(ATOMIC, "\t")
BELOW = "interactions below min_rating"


@dataclass(frozen=True)
class Interactions:
    """The table of interactions.

    Attributes:
        file: Its file, in `data.path`.
        user: Column of the user's id.
        item: Column of the item's id.
        rating: Column of the rating; null if there is none.
        timestamp: Column of the time; null if there is none.
        timestamp_unit: s, ms, us or ns since 1970, or a format such as %Y-%m-%d.
        min_rating: Interactions with a lower rating are no positives and counted, as by `split.min_rating`. Repeated
            pairs are merged before. Null keeps all.
        part: Column that assigns interactions to train, val or test, for split=given; null reads none. The default
            column may be missing.
    """

    file: str
    user: str = "user_id"
    item: str = "item_id"
    rating: str | None = None
    timestamp: str | None = None
    timestamp_unit: str = "s"
    min_rating: float | None = None
    part: str | None = schema.PART

    def __post_init__(self) -> None:
        if self.min_rating is not None and self.rating is None:
            raise ConfigError("data.interactions.min_rating needs the ratings' column: data.interactions.rating.")
        if not (self.min_rating is None or (isinstance(self.min_rating, int | float) and isfinite(self.min_rating))):
            raise ConfigError(f"data.interactions.min_rating is {self.min_rating!r}; expected a finite number or null.")

    @property
    def columns(self) -> dict[str, Column]:
        """How each column is read."""
        key = "data.interactions."
        found = {
            schema.USER_ID: identifier(self.user, f"{key}user"),
            schema.ITEM_ID: identifier(self.item, f"{key}item"),
        }
        if self.rating:
            found[schema.VALUE] = rating(self.rating, f"{key}rating")
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
        template: Of an item's text, over the table's columns: "{title}. {genres}"; null gives no text.
        categories: Column of the item's categories; null if there is none.
        categories_separator: What stands between categories where the column is not a list.
        unknown: What to do with interactions of items that the table lacks: `error`, or `drop` and count them.
    """

    file: str | None = None
    id: str = "item_id"
    template: str | None = None
    categories: str | None = None
    categories_separator: str = "|"
    unknown: str = "error"


@dataclass(frozen=True)
class Users:
    """The table of users.

    Attributes:
        file: Its file, in `data.path`; null if there is none.
        id: Column of the user's id.
    """

    file: str | None = None
    id: str = "user_id"


class TableSource(Source):
    """Tables of interactions and, if there are any, of items and users.

    Args:
        path: The folder of the files.
        interactions: The table of interactions.
        items: The table of items.
        users: The table of users.
        name: The data set's name, for reports.
        separator: Of columns, in text files; null is a comma for csv and a tab for others.
        encoding: Of text files.
        quote: Around fields that hold a separator, in text files; null where quotes mean nothing.
    """

    def __init__(
        self,
        path: str,
        interactions: Interactions,
        items: Items | None = None,
        users: Users | None = None,
        name: str = "table",
        separator: str | None = None,
        encoding: str = "utf-8",
        quote: str | None = '"',
    ) -> None:
        self.path, self.name = Path(path).expanduser(), name
        self.interactions, self.items, self.users = interactions, items or Items(), users or Users()
        self.separator, self.encoding, self.quote = separator, encoding, quote

    def files(self) -> list[Path]:
        """The interactions, and what there is of items and users."""
        existing(self.path, "data.path")
        return [existing(self.path / name, f"data.{role}.file") for role, name in self._file_names().items()]

    def identity(self) -> dict[str, Any]:
        """All keys but the paths, and the format of each file."""
        formats = {role: RawFile(Path(name)).suffix for role, name in self._file_names().items()}
        tables = {"interactions": asdict(self.interactions), "items": asdict(self.items), "users": asdict(self.users)}
        columns = {role: table | {"file": formats.get(role)} for role, table in tables.items()}
        text = {"separator": self.separator, "encoding": self.encoding, "quote": self.quote}
        return {"source": "table", "name": self.name, **columns, **text}

    def read(self) -> Dataset:
        """The data set."""
        with TemporaryDirectory(prefix="recsys-") as folder:
            roles = zip(self._file_names(), self.files(), strict=True)
            tables = {role: self._table(RawFile(path), Path(folder)) for role, path in roles}
            table = tables["interactions"]
            interactions, items, users = self._read_interactions(table), None, None
            dropped: dict[str, int] = {}
            if "items" in tables:
                items = _read_items(tables["items"], self.items)
                unknown = UnknownItems(self.items.unknown, "data.items.unknown", tables["items"].label)
                interactions, dropped = unknown.apply(table, self.interactions.item, interactions, items)
            if "users" in tables:
                users = read_side_table(tables["users"], self.users.id, schema.USER_ID, "data.users.id")
                expected, ids = f"a user of {tables['users'].label}", interactions[schema.USER_ID]
                refuse_unknown(table, self.interactions.user, ids, users[schema.USER_ID], expected)
        return self._filtered(index(self.name, interactions, items, users, dropped))

    def _filtered(self, dataset: Dataset) -> Dataset:
        """The data set without interactions below `min_rating`, and without users that have no others."""
        if self.interactions.min_rating is None:
            return dataset
        kept = reindexed(
            rated_at_least(dataset, self.interactions.min_rating), drop_users=True, drop_items=self.items.file is None
        )
        n_idle = dataset.n_users - kept.n_users if self.users.file else 0
        counts = {BELOW: dataset.interactions.height - kept.interactions.height, IDLE_USERS: n_idle}
        dropped = {name: dataset.dropped.get(name, 0) + count for name, count in counts.items() if count}
        return replace(kept, dropped=dataset.dropped | dropped)

    def _file_names(self) -> dict[str, str]:
        tables = {"interactions": self.interactions.file, "items": self.items.file, "users": self.users.file}
        return {role: name for role, name in tables.items() if name is not None}

    def _table(self, file: RawFile, scratch: Path) -> RawTable:
        if file.suffix == ".parquet":
            return ParquetTable(file)
        if file.suffix in (".jsonl", ".json", ".ndjson"):
            return JsonLinesTable(file, scratch)
        separator = self.separator or SEPARATORS.get(file.suffix)
        if separator is None:
            raise ConfigError(f"data.separator: say what stands between the columns of {file.label}.")
        if file.suffix in ATOMIC:
            return AtomicTable(file, scratch, separator, self.encoding)
        return CsvTable(file, scratch, separator, self.encoding, self.quote)

    def _read_interactions(self, table: RawTable) -> pl.DataFrame:
        keys = self.interactions
        columns = keys.columns
        if keys.part == schema.PART and schema.PART not in table.columns:
            del columns[schema.PART]
        frame = read_columns(table, columns)
        if keys.timestamp:
            times = frame[schema.TIMESTAMP]
            check_unit(times, keys.timestamp_unit, table.label, "data.interactions.timestamp_unit")
        return frame


def _read_items(table: RawTable, keys: Items) -> pl.DataFrame:
    items = read_side_table(table, keys.id, schema.ITEM_ID, "data.items.id")
    template, named = keys.template or "", items.rename({schema.ITEM_ID: keys.id})
    require_fields(named.columns, template, table.label, "data.items.template")
    text = render(named, template, "data.items.template").alias(schema.TEXT)
    if keys.categories is None:
        return items.with_columns(text).drop(schema.CATEGORIES, strict=False)
    require(table, {keys.categories: "data.items.categories"})
    is_list = isinstance(items.schema[keys.categories], pl.List)
    names = pl.col(keys.categories)
    names = names if is_list else names.fill_null("").str.split(_separator(table, keys))
    trimmed = names.list.eval(pl.element().str.strip_chars())
    filled = trimmed.list.eval(pl.element().filter(pl.element() != ""))
    return items.with_columns(text, filled.alias(schema.CATEGORIES))


def _separator(table: RawTable, keys: Items) -> str:
    is_sequence = isinstance(table, AtomicTable) and table.types[keys.categories or ""] == "token_seq"
    return " " if is_sequence else keys.categories_separator
