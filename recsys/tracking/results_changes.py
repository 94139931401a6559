"""Changes of recsys that move the results of some configurations only, so that only their runs are made again.

A change that moves the results of most configurations raises `schema.RESULTS_VERSION` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from recsys.tracking.run_id import flatten

BEFORE_CHANGE, AFTER_CHANGE = "before", "after"  # in the `code` of a run

NOT = "!"  # before a pattern: all values that do not match it

# By name, and then by config key: patterns of values. A change moved the results where each key has such a value.
CHANGES: dict[str, dict[str, tuple[str, ...]]] = {
    "histories without gaps": {
        "batches.train_history": ("others",),
        "profile._target_": tuple(
            f"recsys.profiles.{name}.*"
            for name in ("transformer", "recurrent", "bidirectional", "ligr", "hstu", "bsarec", "self_attention")
        ),
    },
    "last layer of BSARec": {"profile._target_": ("recsys.profiles.bsarec.*",)},
    "tokens of prompts": {"ranker._target_": ("recsys.rankers.prompt.*",)},
    "examples without targets": {
        "ranker._target_": ("recsys.rankers.prompt.*",),
        "ranker.prompt.n_examples": ("!0",),
        "finetune._target_": ("!None",),
    },
    "low ratings after the test": {"split.test_until": ("!None",), "split.min_rating": ("!None",)},
    "low ratings of the data after the test": {
        "split.test_until": ("!None",),
        "data.interactions.min_rating": ("!None",),
    },
    "batches of overfitting": {"trainer.overfit_batches": ("*",)},
    "means of texts": {
        "encoder._target_": ("!recsys.encoders.none.*",),
        "ranker._target_": tuple(
            f"recsys.rankers.{name}.*" for name in ("ease", "slim", "itemknn", "transition_graph")
        ),
    },
}


def code_of_changes(config: Mapping[str, Any]) -> dict[str, str]:
    """An entry for a record's `code` for each change that moved the results of a configuration.

    Example:
        >>> code_of_changes({"ranker": {"_target_": "recsys.rankers.popularity.PopularityRanker"}})
        {}
    """
    values = {key: str(value) for key, value in flatten(config)}
    return {
        f"recsys, {name}": AFTER_CHANGE
        for name, patterns in CHANGES.items()
        if all(_fits(values, *each) for each in patterns.items())
    }


def _fits(values: Mapping[str, str], key: str, patterns: tuple[str, ...]) -> bool:
    return key in values and any(
        fnmatchcase(values[key], pattern.removeprefix(NOT)) != pattern.startswith(NOT) for pattern in patterns
    )
