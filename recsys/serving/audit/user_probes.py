"""Probes of a language model about users: the newest lines of a user, and the next item as the continuation."""

from __future__ import annotations

import numpy as np
import polars as pl

from recsys import schema
from recsys.data.dataset import titles
from recsys.data.sources.templates import render, require_fields
from recsys.data.splits.split import Split
from recsys.serving.audit.probes import CONTINUATION, PREFIX, Probes, grouped, record_parts, shape_of

USER_RECORD_KEY = "memory.user_record"
_LINE, _ENDS, _BEGINS = "line", "ends", "begins"


def user_probes(split: Split, record: str, n_users: int, n_lines: int, k: int, seed: int) -> Probes:
    """Probes of test users' lines in the data set's own format; the continuation is the first test item.

    A prefix has the user's newest known interactions before the test, the oldest first, and the beginning of the next
    line.

    Args:
        split: The split of the tested model.
        record: A template over the columns of the interactions, users and items, such as "{user_id},{item_id}".
        n_users: Largest number of test users; a random sample if there are more.
        n_lines: Largest number of lines of each user.
        k: Size of a group.
        seed: Seed of the sample and the groups.

    Raises:
        ConfigError: If the template has less than two fields, or one that is no column.
    """
    begins, literal, last = record_parts(record, USER_RECORD_KEY)
    order = [schema.TIMESTAMP] if split.dataset.has_timestamps else []
    tested = split.test.sort(order or schema.USER, maintain_order=True).unique(schema.USER, keep="first")
    users = np.sort(tested[schema.USER].to_numpy())
    chosen = np.random.default_rng(seed).permutation(users)[:n_users]
    is_chosen = pl.col(schema.USER).is_in(chosen.tolist())
    asked = _named(split, tested.filter(is_chosen).sort(schema.USER))
    known = _named(split, split.before(schema.TEST).filter(is_chosen).sort(order or schema.USER, maintain_order=True))
    require_fields(known.columns, record, "the interactions", USER_RECORD_KEY)
    lines = known.select(schema.USER, render(known, record, USER_RECORD_KEY).alias(_LINE))
    read = lines.group_by(schema.USER, maintain_order=True).agg(pl.col(_LINE).tail(n_lines).str.join("\n"))
    table = pl.DataFrame(
        {
            schema.USER: asked[schema.USER],
            schema.ITEM: asked[schema.ITEM],
            _BEGINS: render(asked, begins, USER_RECORD_KEY) + literal,
            CONTINUATION: render(asked, f"{{{last}}}", USER_RECORD_KEY),
        }
    ).join(read, on=schema.USER, how="inner", maintain_order="left")
    table = table.select(schema.USER, schema.ITEM, (pl.col(_LINE) + "\n" + pl.col(_BEGINS)).alias(PREFIX), CONTINUATION)
    return grouped(table.filter(pl.col(CONTINUATION) != ""), shape_of(CONTINUATION), k, seed)


def _named(split: Split, interactions: pl.DataFrame) -> pl.DataFrame:
    """Interactions with the columns of their users and items; on equal names the interactions' own columns are kept."""
    items = split.dataset.items.with_columns(titles(split.dataset.items).fill_null("").alias(schema.TITLE))
    joined = interactions
    for key, frame in ((schema.USER, split.dataset.users), (schema.ITEM, items)):
        new = frame.select(name for name in frame.columns if name not in joined.columns)
        rows = new.with_columns(pl.int_range(pl.len()).cast(interactions.schema[key]).alias(key))
        joined = joined.join(rows, on=key, how="left", maintain_order="left")
    return joined
