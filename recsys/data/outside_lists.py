"""Recommendation lists that another program made: a table of users, items and their ranks or scores."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from recsys import schema
from recsys.data.list_columns import ROLES, find_columns, id_texts, one_item_per_row
from recsys.data.provenance import read_provenance
from recsys.data.sources.indexing import to_index
from recsys.schema import DataError

ORDER = "order"  # 1 for a user's best item; equal for ties
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
_BLOCK = 1 << 20  # bytes that are hashed at once


@dataclass(frozen=True)
class OutsideLists:
    """Recommendation lists, restricted to users and items of the data.

    Attributes:
        pairs: `user`, `item` (indices, each pair once) and `order` (1 for the best of a user, equal for ties).
        facts: The origin of the lists, and the number of rows that were left out, by reason.
    """

    pairs: pl.DataFrame
    facts: dict[str, Any]


class ListFile:
    """A file of recommendation lists; columns that are not given are recognised by the names that libraries use.

    Args:
        path: A csv, tsv, jsonl or parquet file.
        user: Column of the user's id.
        item: Column of the item's id.
        rank: Column of the item's rank in the user's list, the best first.
        score: Column of scores, the largest first; ignored if there are ranks. Without both, the order of rows counts.
    """

    def __init__(
        self,
        path: str,
        user: str | None = None,
        item: str | None = None,
        rank: str | None = None,
        score: str | None = None,
    ) -> None:
        self.path = Path(path).expanduser()
        self.named = dict(zip(ROLES, (user, item, rank, score), strict=True))

    def identity(self) -> dict[str, str]:
        """The hash of the file's content.

        Raises:
            DataError: If there is no such file.
        """
        if not self.path.is_file():
            raise DataError(f"{self.path}: there is no file {self.path.absolute()}.")
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        return {"file_hash": digest.hexdigest()}

    def read(self, user_ids: pl.Series, item_ids: pl.Series) -> OutsideLists:
        """The lists of the data's users over the data's items; other rows are left out and counted.

        If a pair is repeated, its best rank is kept.

        Args:
            user_ids: (n_users,) raw ids.
            item_ids: (n_items,) raw ids.

        Raises:
            DataError: If the file is malformed, or has no known user with a known item.
        """
        place = str(self.path)
        frame = one_item_per_row(self._table(), self.named, place)
        columns = find_columns(frame, self.named, place)
        users, items = (id_texts(frame[columns[role]], place) for role in ("user", "item"))
        rows = self._ordered(frame, columns).with_columns(
            _index(users, user_ids).alias(schema.USER), _index(items, item_ids).alias(schema.ITEM)
        )
        known = rows.drop_nulls([schema.USER, schema.ITEM]).sort(schema.USER, ORDER, maintain_order=True)
        pairs = known.unique([schema.USER, schema.ITEM], keep="first", maintain_order=True)
        if pairs.is_empty():
            first = f"the first are {users[0]!r} and {items[0]!r}" if rows.height else "it is empty"
            raise DataError(
                f"{place} has no row with a user and an item of the data: {first}; expected ids such as "
                f"{user_ids[0]!r} and {item_ids[0]!r}."
            )
        unknown = {f"rows_of_unknown_{name}s": rows[name].null_count() for name in (schema.USER, schema.ITEM)}
        dense = pairs.select(schema.USER, schema.ITEM, pl.col(ORDER).rank("dense").over(schema.USER).alias(ORDER))
        return OutsideLists(dense, {**self._origin(columns), "rows": rows.height, **unknown} | _sizes(known, dense))

    def check_columns(self) -> None:
        """Read the head of the file alone.

        Raises:
            DataError: If there is no such file, it cannot be read, or a column is missing or ambiguous.
        """
        if not self.path.is_file():
            raise DataError(f"{self.path}: there is no file {self.path.absolute()}.")
        find_columns(one_item_per_row(self._table(n_rows=1), self.named, str(self.path)), self.named, str(self.path))

    def _table(self, n_rows: int | None = None) -> pl.DataFrame:
        """The file's rows, or the first of them; all values are strings for csv and tsv."""
        suffix = self.path.suffix
        if suffix not in FORMATS:
            raise DataError(f"{self.path} is of an unknown format; expected one of {', '.join(FORMATS)}.")
        try:
            if suffix == ".parquet":
                return pl.read_parquet(self.path, glob=False, n_rows=n_rows)
            if suffix == ".jsonl":
                return pl.read_ndjson(self.path.read_bytes(), infer_schema_length=None)
            return pl.read_csv(self.path, separator=self._separator(), infer_schema=False, glob=False, n_rows=n_rows)
        except pl.exceptions.NoDataError:
            return pl.DataFrame({"user": [], "item": []}, schema={"user": pl.String, "item": pl.String})
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{self.path} cannot be read ({error}).") from error

    def _separator(self) -> str:
        """A tab in tsv files; in csv files a comma, or the semicolon of a header without commas."""
        if self.path.suffix == ".tsv":
            return "\t"
        with self.path.open("rb") as file:
            header = file.readline()
        return ";" if b";" in header and b"," not in header else ","

    def _origin(self, columns: dict[str, str]) -> dict[str, Any]:
        order = columns.get("rank") or columns.get("score") or "the order of rows"
        origin = {"file": self.path.name, "ordered_by": order, "provenance": read_provenance(self.path)}
        return {**origin, "sha256": self.identity()["file_hash"]}

    def _ordered(self, frame: pl.DataFrame, columns: dict[str, str]) -> pl.DataFrame:
        """One column, `order`: the smaller, the better."""
        if "rank" in columns:
            return pl.DataFrame({ORDER: self._numbers(frame, columns["rank"])})
        if "score" in columns:
            return pl.DataFrame({ORDER: -self._numbers(frame, columns["score"])})
        return pl.DataFrame({ORDER: pl.arange(frame.height, eager=True).cast(pl.Float64)})

    def _numbers(self, frame: pl.DataFrame, column: str) -> pl.Series:
        texts = frame[column].dtype == pl.String
        values = (frame[column].str.strip_chars() if texts else frame[column]).cast(pl.Float64, strict=False)
        wrong = values.is_null() | values.is_nan()
        if wrong.any():
            row = int(wrong.arg_true()[0])
            raise DataError(f"{self.path}: row {row + 1}: {column} is {frame[column][row]!r}; expected a number.")
        return values


def _sizes(known: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, int]:
    longest = pairs.group_by(schema.USER).len()["len"].max()
    assert isinstance(longest, int)
    repeated = known.height - pairs.height
    return {"repeated_pairs": repeated, "users": pairs[schema.USER].n_unique(), "longest_list": longest}


def _index(ids: pl.Series, known: pl.Series) -> pl.Series:
    """(n,) the index of each id; a leading apostrophe, as spreadsheets write it before a formula, is ignored."""
    index = to_index(ids, known)
    quoted = index.is_null() & ids.str.starts_with("'")
    if not quoted.any():
        return index
    return index.zip_with(~quoted, to_index(ids.str.strip_prefix("'"), known))
