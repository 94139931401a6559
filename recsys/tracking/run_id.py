"""What a run is called: a hash of everything that its results depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from recsys import schema
from recsys.tracking.record import canonical_json

# Patterns of dotted config keys without influence on results; `*` stands for any text.
EXCLUDED = (
    "hydra",
    "paths",
    "logger",
    "study",
    "search",
    "*.search",  # what a tuner may try, not what this run has
    "*.traits",  # what a component says of itself
    "data",  # the fingerprint of its content stands for it, wherever its files are
    "choices",  # names of nodes that are themselves included
    "overrides",  # the way to this configuration
    "experiment",
    "debug",
    "tags",
    "tuning",
    "rerun",
    "num_threads",  # recorded with the machine
    "callbacks.*.dirpath",
    "callbacks.*progress*",
    "trainer.default_root_dir",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.log_every_n_steps",
    "trainer.profiler",
)


def run_id(config: Mapping[str, Any], data_fingerprint: str) -> str:
    """12 hex digits: a hash of the configuration's influential part, the data and the results' version.

    The order of keys does not matter. 1 and 1.0 differ, since they may mean different things (Lightning's
    `limit_train_batches=1` is one batch, `1.0` is all of them): at worst a run is repeated, never a wrong one found.

    Example:
        >>> run_id({"seed": 1, "lr": 1e-3}, "d") == run_id({"lr": 0.001, "seed": 1, "tags": ["new"]}, "d")
        True
        >>> run_id({"seed": 1}, "d") == run_id({"seed": 2}, "d")
        False
    """
    return _hash({"config": influential(config), "data": data_fingerprint, "results_version": schema.RESULTS_VERSION})


def cell_id(config: Mapping[str, Any]) -> str:
    """The same for all runs that differ in nothing but the seed."""
    return _hash({key: value for key, value in influential(config).items() if key != "seed"})


def influential(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that results depend on, by dotted key."""
    kept = {key: value for key, value in flatten(config) if not _is_excluded(key)}
    if kept.get("test") is False and kept.get("test_knowledge") != "all":
        kept.pop("test_knowledge", None)  # without a test nothing is fitted again
    return kept


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings by dotted key; a list is a leaf, and so is an empty mapping.

    Example:
        >>> list(flatten({"a": {"b": 1, "c": [2]}, "d": {}}))
        [('a.b', 1), ('a.c', [2]), ('d', {})]
    """
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{name}.")
        else:
            yield name, value


def _is_excluded(key: str) -> bool:
    return any(fnmatchcase(key, pattern) or fnmatchcase(key, f"{pattern}.*") for pattern in EXCLUDED)


def _hash(value: Any) -> str:
    """The first digit is a letter, since command lines and spreadsheets read 12e456789012 as a number."""
    digits = hashlib.sha256(canonical_json(value).encode()).hexdigest()
    return f"{'abcdef'[int(digits[:8], 16) % 6]}{digits[8:19]}"
