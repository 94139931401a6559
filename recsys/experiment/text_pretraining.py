"""The texts of the train part that the pretrain command trains a language model on."""

from __future__ import annotations

import polars as pl

from recsys.data.splits.split import Split
from recsys.schema import ITEM, USER

TEXTS = ("items", "histories", "both")
SEPARATOR = "\n"  # between the items of a history


def train_texts(split: Split, kind: str, items_per_text: int) -> list[str]:
    """The texts of the train part: those of its items, the users' histories, or both.

    Args:
        split: Only its train part is read.
        kind: "items", "histories" or "both".
        items_per_text: Maximum number of items per text; longer histories are several texts, the oldest items first.
    """
    items = [text for text, warm in zip(split.dataset.texts, split.warm_items, strict=True) if warm]
    if kind == "items":
        return items
    histories = _histories(split, items_per_text)
    return histories if kind == "histories" else [*items, *histories]


def _histories(split: Split, items_per_text: int) -> list[str]:
    """The texts of the users' histories; the train part is ordered by user, then time."""
    texts = pl.Series(split.dataset.texts)
    rows = split.train.select(USER, text=texts.gather(split.train[ITEM]))
    by_user = rows.group_by(USER, maintain_order=True).agg("text")["text"].to_list()
    starts = ((history, start) for history in by_user for start in range(0, len(history), items_per_text))
    return [SEPARATOR.join(history[start : start + items_per_text]) for history, start in starts]
