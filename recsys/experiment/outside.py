"""Runs with recommendation lists of another program: their facts for the record, and the metrics that they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import polars as pl
from omegaconf import DictConfig

from recsys import schema
from recsys.config.compose import is_outside
from recsys.data.queries import masked_items
from recsys.data.splits.split import Split
from recsys.experiment.built_once import metric_suite
from recsys.training.module import RecommenderModule

Values = TypeVar("Values", pl.DataFrame, dict[str, float])


def describe_lists(cfg: DictConfig, ranker: Any, split: Split) -> tuple[dict[str, Any], list[str]]:
    """The facts about a run's lists for its record, and the warnings that reports show.

    Args:
        cfg: The run's configuration.
        ranker: The fitted ranker, which has read the file.
        split: The split of the test.

    Returns:
        Facts and warnings; both are empty for a run of recsys's own models.
    """
    if not is_outside(cfg.ranker):
        return {}, []
    unmeasured = _unmeasured(cfg, ranker)
    facts = {**ranker.facts, **_of_test(ranker, split, _deepest(cfg, ranker))}
    return facts, [f"{cfg.ranker.name}: {sentence}" for sentence in _sentences(facts, unmeasured)]


def _of_test(ranker: Any, split: Split, deepest: int) -> dict[str, int]:
    """Numbers of tested users, of those with no list or too few items to rank, and of listed items known before."""
    tested = np.unique(split.targets(schema.TEST)[schema.USER].to_numpy()).astype(np.int64)  # for keys of pairs
    offsets, items = ranker.offsets.cpu().numpy(), ranker.items.cpu().numpy()
    lengths = np.diff(offsets)
    masked, n_items = masked_items(split, schema.TEST), split.dataset.n_items
    owners = np.repeat(np.arange(len(lengths)), lengths)
    is_tested = np.isin(owners, tested)
    listed = (owners * n_items + items)[is_tested]
    known_owner, known_item = masked.pairs(tested)
    is_known = np.isin(listed, tested[known_owner] * n_items + known_item)
    ranked = np.bincount(listed[~is_known] // n_items, minlength=len(lengths))[tested]
    return {
        "tested_users": len(tested),
        "deepest_cutoff": deepest,
        "users_without_list": int((lengths[tested] == 0).sum()),
        "users_with_short_list": int(((lengths[tested] > 0) & (ranked < deepest)).sum()),
        "known_items_listed": int(is_known.sum()),
    }


def _sentences(facts: Mapping[str, Any], unmeasured: list[str]) -> list[str]:
    provenance = facts["provenance"]
    origin = "provenance unknown"
    if provenance:
        origin = "provenance: " + ", ".join(f"{key} {value}" for key, value in provenance.items())
    cutoff = facts["deepest_cutoff"]
    counts = {
        "{} of " + f"{facts['tested_users']:,} tested users have no list and count as zero": "users_without_list",
        "{} of " + f"{facts['tested_users']:,} tested users have a list of fewer than {cutoff} items that can be "
        "ranked, and the ranks that it lacks count as misses": "users_with_short_list",
        "{} listed items are not ranked, since their users had them before the test": "known_items_listed",
        "{} rows of users that the data lacks are left out": "rows_of_unknown_users",
        "{} rows of items that the data lacks are left out": "rows_of_unknown_items",
        "{} repeated pairs of user and item are left out": "repeated_pairs",
    }
    said = [text.format(f"{facts[key]:,}") for text, key in counts.items() if facts[key]]
    if unmeasured:
        said.append(f"lists of at most {facts['longest_list']} items have no {', '.join(unmeasured)}")
    return [f"lists of another program, read from {facts['file']} ({origin})", *said]


def measured(cfg: DictConfig, module: RecommenderModule, values: Values, prefix: str = "") -> Values:
    """The test's values, with NaN for metrics that need longer lists than a run with outside lists has.

    Args:
        cfg: The run's configuration.
        module: The module with the ranker.
        values: Means by name, or values of each query by column; names may begin with a segment, as "items=cold/".
        prefix: The prefix of metric names, as "test/".
    """
    unmeasured = {f"{prefix}{name}" for name in _unmeasured(cfg, module.recommender.ranker)}
    if isinstance(values, pl.DataFrame):
        blank = [name for name in values.columns if name.rpartition("/")[2] in unmeasured]
        return values.with_columns(pl.lit(np.nan, values.schema[name]).alias(name) for name in blank)
    return {name: np.nan if name in unmeasured else value for name, value in values.items()}


def measured_segments(cfg: DictConfig, module: RecommenderModule) -> dict[str, dict[str, float]]:
    """The test's values by segment of items, with NaN as in `measured`."""
    found = module.metrics_of(schema.TEST).segments()
    return {name: measured(cfg, module, values) for name, values in found.items()}


def _deepest(cfg: DictConfig, ranker: Any) -> int:
    """The largest cut-off that is measured; 0 if all lists are complete."""
    if ranker.longest_list is None:
        return 0
    cutoffs = [k for cuts in metric_suite(cfg).chosen[schema.TEST].values() for k in cuts or ()]
    return max((k for k in cutoffs if k <= ranker.longest_list), default=0)


def _unmeasured(cfg: DictConfig, ranker: Any) -> list[str]:
    is_short = is_outside(cfg.ranker) and ranker.longest_list is not None
    return metric_suite(cfg).beyond(ranker.longest_list) if is_short else []
