"""The result of every source: interactions, items and users, with indices instead of raw ids."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import polars as pl

from recsys import schema

_HASHED_ROWS = 1 << 20  # rows that are hashed at once, to limit memory


@dataclass(frozen=True)
class Dataset:
    """One data set; immutable.

    Attributes:
        name: The data set's name, for reports.
        interactions: One row for each (user, item) pair: `user` and `item` int32, `value` float32 (1.0 if the data
            has no ratings), `timestamp` int64 microseconds since 1970 (UTC) if the data has times.
        items: Row i is item i: `item_id` str, `text` str ("" for no text), `categories` list[str] if the
            data has them, and any further columns of the source.
        users: Row i is user i: `user_id` str and further columns.
        impressions: For data that logs the shown items (MIND): one row for each impression: `user`, `timestamp`,
            `part` (train, val or test), `history`, `candidates` (lists of item) and `clicked` (list of bool, aligned
            with `candidates`).
        low_rated: Interactions below a rating threshold, with the columns of `interactions`. They are not positives,
            but their users know these items. None without a threshold.
        dropped: The number of rows that each filter of the source dropped, by the filter's name.
        fingerprint: A hash of the content; data sets with the same fingerprint are equal.
    """

    name: str
    interactions: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame
    impressions: pl.DataFrame | None = None
    low_rated: pl.DataFrame | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", self._content_hash())

    @property
    def n_users(self) -> int:
        """The number of users."""
        return self.users.height

    @property
    def n_items(self) -> int:
        """The size of the catalogue."""
        return self.items.height

    @property
    def has_timestamps(self) -> bool:
        """Whether interactions have a time."""
        return schema.TIMESTAMP in self.interactions.columns

    @property
    def texts(self) -> list[str]:
        """The text of each item, in the order of their indices."""
        return self.items[schema.TEXT].to_list()

    @property
    def titles(self) -> list[str]:
        """The name of each item."""
        return titles(self.items).to_list()

    def _content_hash(self) -> str:
        digest = hashlib.sha256()
        for frame in (self.interactions, self.items, self.users, self.impressions):
            digest.update(b"-" if frame is None else frame_hash(frame).encode())
        if self.low_rated is not None:
            digest.update(frame_hash(self.low_rated).encode())
        return digest.hexdigest()[:16]


def titles(items: pl.DataFrame) -> pl.Series:
    """Names of items: their titles if the data has them, else their texts."""
    has_titles = items.schema.get(schema.TITLE) == pl.String
    named = pl.coalesce(schema.TITLE, schema.TEXT) if has_titles else pl.col(schema.TEXT)
    return items.select(named.alias(schema.TITLE))[schema.TITLE]


def frame_hash(frame: pl.DataFrame) -> str:
    """A hash of a frame's column names, types and values in their order, the same on every machine and version."""
    digest = hashlib.sha256()
    for column in frame.get_columns():
        digest.update(f"{column.name}:{column.dtype}:{len(column)};".encode())
        for start in range(0, len(column), _HASHED_ROWS):
            for part in _primitive_parts(column.slice(start, _HASHED_ROWS)):
                digest.update(part)
    return digest.hexdigest()


def _primitive_parts(column: pl.Series) -> list[bytes]:
    """The values as bytes, with the lengths of variable-length values and the positions of missing ones."""
    nulls = column.is_null().to_numpy().tobytes() if column.null_count() else b""
    if isinstance(column.dtype, pl.List):
        lengths = column.list.len().fill_null(0).to_numpy().tobytes()
        return [nulls, lengths, *_primitive_parts(column.drop_nulls().explode(empty_as_null=False))]
    if column.dtype == pl.String:
        lengths = column.str.len_bytes().fill_null(0).to_numpy().tobytes()
        return [nulls, lengths, column.str.join("")[0].encode()]
    return [nulls, column.fill_null(strategy="zero").to_numpy().tobytes()]
