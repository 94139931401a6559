"""Interactions whose item or user is not in the tables of items and users."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from recsys import schema
from recsys.data.sources.faults import BadRows
from recsys.data.sources.raw_tables import ROW, RawTable
from recsys.schema import ConfigError, DataError


def refuse_unknown(
    table: RawTable,
    column: str,
    ids: pl.Series,
    known: pl.Series,
    expected: str,
    bad: BadRows | None = None,
    kind: str = "interactions with unknown items",
    advice: str = "",
) -> pl.Series:
    """Check that all `ids`, read from `column`, are among the `known`; returns whether each is.

    Args:
        table: The table of the ids.
        column: Their raw column.
        ids: The ids of the rows that can be read.
        known: The ids of the table of items or users.
        expected: A description of known ids, for the message.
        bad: Collects the rows with unknown ids; None raises an error for them.
        kind: The name of such rows, in the plural, for the statistics.
        advice: The end of the message; it is left out if more than half of the ids are unknown.

    Raises:
        DataError: If an id is unknown and `bad` is None; the message lists the first lines with unknown ids.
    """
    faults = BadRows() if bad is None else bad
    unknown = ids.unique().to_frame("id").join(known.to_frame("id"), on="id", how="anti")["id"]
    if not len(unknown):
        return pl.repeat(True, len(ids), dtype=pl.Boolean, eager=True)
    is_unknown = ids.is_in(unknown.implode())
    n_unknown = int(is_unknown.sum())
    expected += advice if 2 * n_unknown <= len(ids) else ""

    def find(n: int) -> list[tuple[int, str]]:
        wrong = table.frame.with_row_index(ROW).filter(pl.col(column).is_in(unknown.implode()))
        rows = table.collect(wrong.select(ROW, column).head(n + len(table.ragged))).rows()
        ragged = set(table.ragged.tolist())
        return [
            (row, f"column '{column}': found {value!r}, expected {expected}")
            for row, value in rows
            if row not in ragged
        ]

    faults.add(kind, n_unknown, find, table.places)
    if bad is None:
        faults.finish()
    return ~is_unknown


def refuse_alike(table: RawTable, column: str, ids: pl.Series) -> None:
    """Refuse ids that differ only by blanks at their ends, or by ".0", which would make two users or items of one.

    Raises:
        DataError: If there are such ids, or an id consists of blanks.
    """
    bare = pl.col("id").str.strip_chars().str.replace(r"^(-?\d+)\.0$", "$1")
    distinct = pl.DataFrame({"id": ids.drop_nulls().unique()}).with_columns(bare=bare)
    if (distinct["bare"] == "").any():
        raise DataError(f"{table.label}: column '{column}': found an id that consists of blanks, expected an id.")
    alike = distinct.filter(pl.col("bare").is_duplicated()).sort("bare", "id")
    if alike.height:
        one, other = alike["id"][:2]
        raise DataError(
            f"{table.label}: column '{column}': found the ids {one!r} and {other!r}; expected one way of writing an "
            "id: remove blanks at the ends, and the .0 of whole numbers."
        )


@dataclass(frozen=True)
class UnknownItems:
    """Treatment of interactions whose item is not in the items' table.

    Attributes:
        choice: `error` or `drop`.
        key: The configuration's key of the choice.
        label: The name of the items' table in messages.
    """

    choice: str
    key: str
    label: str

    def __post_init__(self) -> None:
        if self.choice not in ("error", "drop"):
            raise ConfigError(f"{self.key}={self.choice} is unknown; use error or drop.")

    def apply(
        self,
        table: RawTable,
        column: str,
        interactions: pl.DataFrame,
        items: pl.DataFrame,
        bad: BadRows | None = None,
    ) -> tuple[pl.DataFrame, dict[str, int]]:
        """The interactions with known items, and the number of interactions dropped by this choice.

        Raises:
            DataError: If the choice is `error`, an item is unknown, and `bad` is None.
        """
        ids, known = interactions[schema.ITEM_ID], items[schema.ITEM_ID]
        if self.choice == "error":
            expected, advice = f"an item of {self.label}", f" (or {self.key}=drop)"
            return interactions.filter(refuse_unknown(table, column, ids, known, expected, bad, advice=advice)), {}
        kept = interactions.filter(pl.col(schema.ITEM_ID).is_in(known.implode()))
        lost = interactions.height - kept.height
        return kept, ({"interactions with unknown items": lost} if lost else {})
