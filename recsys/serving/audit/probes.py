"""Probes of a language model: prefixes with their true continuations, in groups of the same shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import titles
from recsys.data.sources.templates import fields, render, require_fields
from recsys.schema import ConfigError

_MOST_WORDS = 6  # shapes do not distinguish longer texts
PREFIX, CONTINUATION, _SHAPE = "prefix", "continuation", "shape"
RECORD_KEY = "memory.record"


@dataclass(frozen=True)
class Probes:
    """n prefixes about items, with their true continuations.

    Attributes:
        items: (n,) indices of the items.
        prefixes: (n) texts that a language model reads.
        continuations: (n) the true continuations, with the white space before them.
        groups: (g, k) rows of the above; the continuations of a group have the same shape and are distinct.
        users: (n,) indices of the users that the prefixes are about; None for probes of items alone.
    """

    items: NDArray[np.int64]
    prefixes: list[str]
    continuations: list[str]
    groups: NDArray[np.int64]
    users: NDArray[np.int64] | None = None

    @property
    def probed(self) -> NDArray[np.int64]:
        """(g, k) the items in the groups."""
        return self.items[self.groups]


def title_probes(items: pl.DataFrame, chosen: NDArray[np.int64], k: int, seed: int) -> Probes:
    """Probes of titles: the first half is the prefix, the second half the continuation; one-word titles are omitted.

    Args:
        items: The catalogue.
        chosen: (n,) indices of the probed items.
        k: Size of a group.
        seed: Seed of the groups.
    """
    words = titles(items)[chosen].fill_null("").str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    table = pl.DataFrame({schema.ITEM: chosen, "words": words}).filter(pl.col("words").list.len() > 1)
    half = (pl.col("words").list.len() + 1) // 2
    table = table.select(
        schema.ITEM,
        pl.col("words").list.head(half).list.join(" ").alias(PREFIX),
        (" " + pl.col("words").list.slice(half).list.join(" ")).alias(CONTINUATION),
    )
    return grouped(table, shape_of(PREFIX) + "/" + shape_of(CONTINUATION), k, seed)


def record_probes(
    items: pl.DataFrame, chosen: NDArray[np.int64], record: str, n_examples: int, k: int, seed: int
) -> Probes:
    """Probes of lines of the data set's own file: the last field is the continuation.

    Args:
        items: The catalogue.
        chosen: (n,) indices of the probed items.
        record: A template over the catalogue's columns, such as "{item_id}::{title}".
        n_examples: Number of complete lines of other items before each prefix.
        k: Size of a group.
        seed: Seed of the examples and the groups.

    Raises:
        ConfigError: If the template has less than two fields, or one that is no column.
    """
    named = items.with_columns(titles(items).fill_null(""))
    require_fields(named.columns, record, "the catalogue", RECORD_KEY)
    begins, literal, last = record_parts(record, RECORD_KEY)
    before = render(named, begins, RECORD_KEY) + literal
    after = render(named, f"{{{last}}}", RECORD_KEY)
    others = np.setdiff1d(np.flatnonzero((after != "").to_numpy()), chosen)
    drawn = np.random.default_rng(seed).permutation(others)[:n_examples]
    told = "".join(f"{line}\n" for line in (before + after)[drawn].to_list())
    table = pl.DataFrame({schema.ITEM: chosen, PREFIX: told + before[chosen], CONTINUATION: after[chosen]})
    return grouped(table.filter(pl.col(CONTINUATION) != ""), shape_of(CONTINUATION), k, seed)


def record_parts(record: str, key: str) -> tuple[str, str, str]:
    """The template before the last field, the literal between them, and the last field's name.

    Raises:
        ConfigError: If the template has less than two fields, or does not end with one.
    """
    pairs = fields(record, key)
    if len(pairs) < 2 or any(not name for _, name in pairs):
        raise ConfigError(f"{key} is {record!r}; expected two fields or more, the completed one at the end.")
    literal, last = pairs[-1]
    return "".join(f"{text}{{{name}}}" for text, name in pairs[:-1]), literal, last


def shape_of(column: str) -> pl.Expr:
    """The number of words of a text, and whether the last one is a number, such as a year in parentheses."""
    words = pl.col(column).str.strip_chars().str.split(" ").list
    is_number = words.last().str.contains(r"^\(?\d+\)?$")
    return words.len().clip(upper_bound=_MOST_WORDS).cast(pl.String) + is_number.cast(pl.String)


def grouped(table: pl.DataFrame, shape: pl.Expr, k: int, seed: int) -> Probes:
    """Random groups of k rows of the same shape with distinct continuations; remaining rows are in no group."""
    shuffled = table.with_columns(shape.alias(_SHAPE)).sample(fraction=1, shuffle=True, seed=seed)
    numbered = shuffled.with_row_index("row").with_columns((pl.int_range(pl.len()) // k).over(_SHAPE).alias("group"))
    is_whole = (pl.col(CONTINUATION).n_unique() == k).over(_SHAPE, "group")
    rows = numbered.filter(is_whole).sort(_SHAPE, "group", maintain_order=True)["row"].to_numpy()
    return Probes(
        shuffled[schema.ITEM].to_numpy().astype(np.int64),
        shuffled[PREFIX].to_list(),
        shuffled[CONTINUATION].to_list(),
        rows.astype(np.int64).reshape(-1, k),
        shuffled[schema.USER].to_numpy().astype(np.int64) if schema.USER in shuffled.columns else None,
    )
