"""Statistics of a data set and its split."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.split import Split, occurs

if TYPE_CHECKING:
    from recsys.support.text_tables import TextTable


def describe(dataset: Dataset, split: Split | None = None) -> dict[str, Any]:
    """Sizes, density, text, time span and dropped rows; and the size and the cold shares of each part of the split.

    `tied_cuts` is the share of the cuts between a user's parts that fall between equal timestamps, None if cuts do not
    follow time. A part's `cold_users` is the share of its users without any interaction before it, `cold_items` the
    share of its interactions whose item has no train interaction, `cold_after_refit` of those whose item has none in
    the parts before it: for the test, train and validation.
    """
    interactions = dataset.interactions
    per_user = np.bincount(interactions[schema.USER].to_numpy())
    per_user = per_user[per_user > 0]
    with_text = dataset.items.filter(pl.col(schema.TEXT).str.strip_chars() != "").height
    statistics: dict[str, Any] = {
        "users": dataset.n_users,
        "items": dataset.n_items,
        "interactions": interactions.height,
        "density": interactions.height / max(1, dataset.n_users * dataset.n_items),
        "with_text": with_text / max(1, dataset.n_items),
        "per_user_mean": float(per_user.mean()) if len(per_user) else 0.0,
        "per_user_median": float(np.median(per_user)) if len(per_user) else 0.0,
        "dropped": dict(dataset.dropped),
    }
    if dataset.impressions is not None:
        statistics["impressions"] = dataset.impressions.height
    statistics |= _period(interactions)
    if split is None:
        return statistics
    parts = {
        "train": _part(split.train, split, schema.TRAIN),
        "validation": _part(split.validation, split, schema.VAL),
        "test": _part(split.test, split, schema.TEST),
    }
    if split.fold_in.height:
        parts["fold_in"] = _part(split.fold_in, split, schema.TEST)
    tested = {f"test_{end}": date for end, date in _period(split.test).items()}
    return statistics | split.statistics | tested | {"parts": parts}


def _period(frame: pl.DataFrame) -> dict[str, str]:
    """The dates of the first and the last interaction; empty without time or interactions."""
    if schema.TIMESTAMP not in frame.columns or frame.is_empty():
        return {}
    times = frame[schema.TIMESTAMP]
    return {"from": _date(times.min()), "until": _date(times.max())}


def _part(frame: pl.DataFrame, split: Split, stage: str) -> dict[str, Any]:
    users = occurs(frame[schema.USER], split.dataset.n_users)
    known = occurs(split.before(stage)[schema.USER], split.dataset.n_users)
    items, known_items = frame[schema.ITEM].to_numpy(), split.warm_items
    if stage == schema.TEST:
        known_items = known_items | occurs(split.validation[schema.ITEM], split.dataset.n_items)
    return {
        "interactions": frame.height,
        "users": int(users.sum()),
        "items": int(occurs(frame[schema.ITEM], split.dataset.n_items).sum()),
        "cold_users": _share(~known[users]),
        "cold_items": _share(~split.warm_items[items]),
        "cold_after_refit": _share(~known_items[items]),
    }


def _share(is_so: NDArray[np.bool_]) -> float:
    return float(is_so.mean()) if len(is_so) else 0.0


def _date(time: Any) -> str:
    return datetime.fromtimestamp(int(time) // schema.MICROSECONDS, UTC).date().isoformat()


def render(statistics: dict[str, Any]) -> list[TextTable]:
    """The statistics as tables for the terminal."""
    from recsys.support.text_tables import TextTable, readable

    whole = TextTable(["", "data"], words=["data"], is_ruled=True)
    for name, value in statistics.items():
        if name == "parts":
            continue
        if name == "dropped":
            value = ", ".join(f"{rule} {count:,}" for rule, count in value.items()) or "nothing"
        whole.add(name.replace("_", " "), readable(name, value))
    if "parts" not in statistics:
        return [whole]
    columns = [column.replace("_", " ") for column in next(iter(statistics["parts"].values()))]
    rows = (
        [part, *(readable(name, value) for name, value in values.items())]
        for part, values in statistics["parts"].items()
    )
    return [whole, TextTable(["part", *columns], rows, "split", is_ruled=True)]
