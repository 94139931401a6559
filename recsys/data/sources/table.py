"""The user's own table: csv, tsv, parquet, jsonl (also .gz), or RecBole's atomic files, by configuration only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.filters import rated_at_least, reindexed
from recsys.data.sources.atomic import ATOMIC, AtomicTable
from recsys.data.sources.base import Source
from recsys.data.sources.columns import check_unit, require
from recsys.data.sources.csv_table import CsvTable, mark_of, separator_of
from recsys.data.sources.faults import BadRows
from recsys.data.sources.frames import SUFFIX as FRAME
from recsys.data.sources.frames import FrameTable, existing_frames
from recsys.data.sources.indexing import IDLE_USERS, index
from recsys.data.sources.json_lines import JsonLinesTable
from recsys.data.sources.raw import RawFile, existing
from recsys.data.sources.raw_tables import ParquetTable, RawTable
from recsys.data.sources.reading import read_columns, read_side_table, refuse_nothing_left
from recsys.data.sources.table_keys import Interactions, Items, Users, names_of
from recsys.data.sources.templates import render, require_fields
from recsys.data.sources.unknown_ids import UnknownItems, refuse_alike, refuse_unknown
from recsys.schema import ConfigError

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"} | dict.fromkeys(ATOMIC, "\t")
BELOW = "interactions below min_rating"


class TableSource(Source):
    """Tables of interactions and, if given, of items and users.

    Args:
        path: The folder of the files.
        interactions: The table of interactions.
        items: The table of items.
        users: The table of users.
        name: The data set's name, for reports.
        separator: The separator of columns in text files without their own; null: a comma for csv, a tab for others.
        encoding: The encoding of text files and jsonl.
        quote: The mark around fields that contain a separator, in text files; null if quotes have no special meaning.
        escape: The mark before a quote within a quoted field, in text files; null if such quotes are doubled.
        header: Whether the interactions' text file begins with the names of its columns.
        columns: The names of its columns in their order, if it has no header.
        bad_rows: Treatment of rows that cannot be read: `error`, or `drop` and count them by kind.
        decimal_comma: Whether ratings are written with a decimal comma, as in 4,5.

    Raises:
        ConfigError: If a key has an impossible value.
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
        escape: str | None = None,
        header: bool = True,
        columns: Sequence[str] | None = None,
        bad_rows: str = "error",
        decimal_comma: bool = False,
    ) -> None:
        self.path, self.name = Path(path).expanduser(), name
        self.interactions, self.items, self.users = interactions, items or Items(), users or Users()
        self.separator, self.encoding = separator_of(separator), encoding
        self.quote = mark_of(quote, "data.quote", "'\"'")
        self.escape = mark_of(escape, "data.escape", r"'\\'")
        self.columns, self.bad_rows = names_of(columns, "data.columns"), bad_rows
        for key, value in (("header", header), ("decimal_comma", decimal_comma)):
            if not isinstance(value, bool):
                raise ConfigError(f"data.{key} is {value!r}; expected true or false.")
        if header and self.columns:
            raise ConfigError("data.columns names the columns of a file without a header: set data.header=false.")
        self.header, self.decimal_comma = header, decimal_comma
        BadRows(bad_rows, "data.bad_rows")

    def files(self) -> list[Path]:
        """The interactions and, if present, items and users."""
        existing_frames(self.path, "data.path")
        return [
            existing(self.path / name, f"data.{role}.file", is_file=True) for role, name in self._file_names().items()
        ]

    def identity(self) -> dict[str, Any]:
        """All keys except the paths, and the format of each file."""
        formats = {role: RawFile(Path(name)).suffix for role, name in self._file_names().items()}
        columns = {role: _content(table) | {"file": formats.get(role)} for role, table in self._roles().items()}
        text: dict[str, Any] = {
            "separator": self.separator,
            "encoding": self.encoding,
            "quote": self.quote,
            "escape": self.escape,
        }
        text |= {"columns": self.columns, "bad_rows": self.bad_rows}
        text |= {"decimal_comma": True} if self.decimal_comma else {}
        return {"source": "table", "name": self.name, **columns, **text}

    def read(self) -> Dataset:
        """The data set."""
        bad = BadRows(self.bad_rows, "data.bad_rows")
        with TemporaryDirectory(prefix="recsys-") as folder:
            roles = zip(self._file_names(), self.files(), strict=True)
            tables = {role: self._table(role, RawFile(path), Path(folder)) for role, path in roles}
            table = tables["interactions"]
            interactions, items, users = self._read_interactions(table, bad), None, None
            dropped: dict[str, int] = {}
            refuse_alike(table, self.interactions.user, interactions[schema.USER_ID])
            refuse_alike(table, self.interactions.item, interactions[schema.ITEM_ID])
            if "items" in tables:
                items = _read_items(tables["items"], self.items, bad)
                unknown = UnknownItems(self.items.unknown, "data.items.unknown", tables["items"].label)
                interactions, dropped = unknown.apply(table, self.interactions.item, interactions, items, bad)
            if "users" in tables:
                users = read_side_table(tables["users"], self.users.id, schema.USER_ID, "data.users.id", bad)
                refuse_alike(tables["users"], self.users.id, users[schema.USER_ID])
                interactions = self._with_known_users(tables, interactions, users, bad)
            for kind, count in bad.finish().items():
                dropped[kind] = dropped.get(kind, 0) + count
        refuse_nothing_left(table, interactions.height, dropped)
        return self._filtered(index(self.name, interactions, items, users, dropped))

    def _with_known_users(
        self, tables: dict[str, RawTable], interactions: pl.DataFrame, users: pl.DataFrame, bad: BadRows
    ) -> pl.DataFrame:
        ids, known = interactions[schema.USER_ID], users[schema.USER_ID]
        expected, kind = f"a user of {tables['users'].label}", "interactions with unknown users"
        table, column, advice = tables["interactions"], self.interactions.user, " (a row with its id alone is enough)"
        return interactions.filter(refuse_unknown(table, column, ids, known, expected, bad, kind, advice))

    def _filtered(self, dataset: Dataset) -> Dataset:
        """The data set with interactions below `min_rating` in `low_rated`, without users that have no others."""
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
        return {role: table.file for role, table in self._roles().items() if table.file is not None}

    def _roles(self) -> dict[str, Interactions | Items | Users]:
        return {"interactions": self.interactions, "items": self.items, "users": self.users}

    def _table(self, role: str, file: RawFile, scratch: Path) -> RawTable:
        names = {"interactions": self.columns, "items": self.items.columns, "users": self.users.columns}[role]
        if file.suffix in (".parquet", FRAME):
            return FrameTable(file) if file.suffix == FRAME else ParquetTable(file)
        if file.suffix in (".jsonl", ".json", ".ndjson"):
            nested = self.interactions.nested if role == "interactions" else None
            return JsonLinesTable(file, scratch, self.encoding, nested)
        own = self._roles()[role].separator
        separator = own or self.separator or SEPARATORS.get(file.suffix)
        if separator is None:
            raise ConfigError(f"data.separator: give the separator between the columns of {file.label}.")
        if file.suffix in ATOMIC:
            return AtomicTable(file, scratch, separator, self.encoding)
        key = "data.separator" if own is None and self.separator is None else f"data.{role}.separator"
        table = CsvTable(file, scratch, separator, self.encoding, self.quote, names, self.escape, separator_key=key)
        if role == "interactions" and not self.header and not names:
            first = ", ".join(map(repr, table.columns))
            raise ConfigError(f"data.header=false needs data.columns=[…]; the first row of {file.label} has {first}.")
        return table

    def _read_interactions(self, table: RawTable, bad: BadRows) -> pl.DataFrame:
        keys = self.interactions
        columns = keys.columns(self.decimal_comma)
        if keys.part == schema.PART and schema.PART not in table.columns:
            del columns[schema.PART]
        frame = read_columns(table, columns, bad)
        if keys.timestamp and frame.height and keys.timestamp not in table.times:
            times = frame[schema.TIMESTAMP]
            check_unit(times, keys.timestamp_unit, table.label, "data.interactions.timestamp_unit")
        return frame


def _content(keys: Interactions | Items | Users) -> dict[str, Any]:
    """A table's keys that its content depends on."""
    return {name: value for name, value in asdict(keys).items() if name != "separator" or value is not None}


def _read_items(table: RawTable, keys: Items, bad: BadRows) -> pl.DataFrame:
    lists = [keys.categories] if keys.categories else []
    items = read_side_table(table, keys.id, schema.ITEM_ID, "data.items.id", bad, lists)
    refuse_alike(table, keys.id, items[schema.ITEM_ID])
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
