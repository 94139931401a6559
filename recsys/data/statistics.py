"""What a data set and its split look like in numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import Split

if TYPE_CHECKING:
    from rich.table import Table


def describe(dataset: Dataset, split: Split | None = None) -> dict[str, Any]:
    """Sizes, density, text, time span and dropped rows; of each part of the split, its size and how much of it is cold.

    A part's `cold_users` is the share of its users without any known interaction, `cold_items` the share of its
    interactions whose item has no train interaction.
    """
    interactions = dataset.interactions
    per_user = interactions.group_by(schema.USER).len()["len"]
    with_text = dataset.items.filter(pl.col(schema.TEXT).str.strip_chars() != "").height
    statistics: dict[str, Any] = {
        "users": dataset.n_users,
        "items": dataset.n_items,
        "interactions": interactions.height,
        "density": interactions.height / max(1, dataset.n_users * dataset.n_items),
        "with_text": with_text / max(1, dataset.n_items),
        "per_user_mean": per_user.mean(),
        "per_user_median": per_user.median(),
        "dropped": dict(dataset.dropped),
    }
    if dataset.has_timestamps and interactions.height:
        times = interactions[schema.TIMESTAMP]
        statistics |= {"from": _date(times.min()), "until": _date(times.max())}
    if split is None:
        return statistics
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    if split.fold_in.height:
        parts["fold_in"] = split.fold_in
    stages = {"validation": schema.VAL, "test": schema.TEST}
    described = {name: _part(frame, split, stages.get(name, schema.TRAIN)) for name, frame in parts.items()}
    return statistics | {"dropped": split.statistics["dropped"], "tied_cuts": split.statistics["tied_cuts"], "parts": described}


def _part(frame: pl.DataFrame, split: Split, stage: str) -> dict[str, Any]:
    users = frame[schema.USER].unique()
    known = split.known(stage)[schema.USER].unique()
    warm_items = pl.Series(split.warm_items[frame[schema.ITEM].to_numpy()])
    return {
        "interactions": frame.height,
        "users": len(users),
        "items": frame[schema.ITEM].n_unique(),
        "cold_users": float((~users.is_in(known.implode())).mean() or 0.0) if len(users) else 0.0,
        "cold_items": float((~warm_items).mean() or 0.0) if len(warm_items) else 0.0,
    }


def _date(seconds: Any) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).date().isoformat()


def render(statistics: dict[str, Any]) -> list[Table]:
    """The statistics as tables for the terminal."""
    from rich.table import Table

    whole = Table(title="data", title_justify="left", show_header=False)
    for name, value in statistics.items():
        if name == "parts":
            continue
        if name == "dropped":
            value = ", ".join(f"{rule} {count:,}" for rule, count in value.items()) or "nothing"
        whole.add_row(name.replace("_", " "), _readable(name, value))
    if "parts" not in statistics:
        return [whole]
    parts = Table(title="split", title_justify="left")
    parts.add_column("part")
    for column in next(iter(statistics["parts"].values())):
        parts.add_column(column.replace("_", " "), justify="right")
    for part, values in statistics["parts"].items():
        parts.add_row(part, *(_readable(name, value) for name, value in values.items()))
    return [whole, parts]


def _readable(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if name in ("density", "with_text", "tied_cuts", "cold_users", "cold_items"):
        return f"{value:.2%}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
