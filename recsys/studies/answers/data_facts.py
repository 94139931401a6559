"""Facts about a data set by which the split and the cells of an answer are chosen."""

from __future__ import annotations

from dataclasses import dataclass

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.description import describe
from recsys.data.splits.split import Split

_DAY = 86_400 * schema.MICROSECONDS


@dataclass(frozen=True)
class Facts:
    """Facts about a data set, and about a split of it.

    Attributes:
        n_items: Size of the catalogue.
        has_times: Whether interactions have timestamps that differ.
        has_parts: Whether the data names the part of each interaction: train, val or test.
        has_impressions: Whether the data has impressions, the lists of shown items.
        median_history: Median number of interactions per user.
        days: Days from the first interaction to the last, of the train part if there is a split; 0 without times.
        cold_share: Share of the split's test interactions whose item has no train or validation interaction.
    """

    n_items: int
    has_times: bool
    has_parts: bool
    has_impressions: bool
    median_history: float
    days: float
    cold_share: float = 0.0


def facts_of(dataset: Dataset, split: Split | None = None) -> Facts:
    """Facts about a data set and, if given, about its split."""
    found = describe(dataset, split)
    days = 0.0
    known = dataset.interactions if split is None else split.train  # the half-life of recent popularity follows from it
    if dataset.has_timestamps and known.height:
        times = known[schema.TIMESTAMP].to_numpy()
        days = float(times.max() - times.min()) / _DAY
    return Facts(
        n_items=dataset.n_items,
        has_times=days > 0,
        has_parts=schema.PART in dataset.interactions.columns,
        has_impressions=dataset.impressions is not None,
        median_history=found["per_user_median"],
        days=days,
        cold_share=0.0 if split is None else float(found["parts"]["test"]["cold_after_refit"]),
    )
