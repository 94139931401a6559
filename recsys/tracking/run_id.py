"""Ids of runs: a hash of everything that a run's results depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from recsys import schema
from recsys.tracking.record import Record, canonical_json

# Patterns of dotted config keys without influence on results; `*` matches any text.
EXCLUDED = (
    "hydra",
    "paths",
    "logger",
    "study",
    "search",
    "*.search",  # search ranges, which this run does not use
    "*.traits",  # declarations of a component
    "ranker.lists.path",  # a hash of its content is among the contents
    "written",  # a hash of its content is among the contents
    "ranker.language_model.budget",  # exceeding it ends the run; otherwise it has no influence
    "data",  # represented by the fingerprint of its content, independent of paths
    "choices",  # names of nodes that are themselves included
    "overrides",  # the command line of this configuration
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


TARGET = "_target_"
LISTS = "lists"  # key of the content of a file of lists, which another program made for one seed


def run_id(
    config: Mapping[str, Any],
    data_fingerprint: str,
    code: Mapping[str, str] | None = None,
    contents: Mapping[str, Any] | None = None,
) -> str:
    """12 hex digits: a hash of everything that a run's results depend on.

    The order of keys does not matter. 1 and 1.0 differ, since they may mean different things: Lightning's
    `limit_train_batches=1` is one batch, `1.0` is all of them. At worst a run is repeated, but no wrong run is found.

    Args:
        config: The run's configuration, of which only the influential keys count.
        data_fingerprint: Hash of the data's content.
        code: The package's release, and hashes of code outside it, by module.
        contents: Hashes of the files and weights that the run reads.

    Example:
        >>> run_id({"seed": 1, "lr": 1e-3}, "d") == run_id({"lr": 0.001, "seed": 1, "tags": ["new"]}, "d")
        True
        >>> run_id({"seed": 1}, "d") == run_id({"seed": 2}, "d")
        False
    """
    data = {"data": data_fingerprint, "results_version": schema.RESULTS_VERSION}
    return _hash({"config": influential(config), **data, "code": code or {}, "contents": contents or {}})


def cell_id(
    config: Mapping[str, Any], code: Mapping[str, str] | None = None, contents: Mapping[str, Any] | None = None
) -> str:
    """A hash that is the same for all runs that differ only in seed and data; see `run_id` for the arguments."""
    settings = {key: value for key, value in influential(config).items() if key != "seed"}
    shared = {key: value for key, value in (contents or {}).items() if key != LISTS}
    return _hash({"config": settings, "code": code or {}, "contents": shared})


def cell_of(record: Record) -> str:
    """The `cell_id` of a run's record."""
    return cell_id(record.config, record.code, record.contents)


def targets(config: Mapping[str, Any]) -> list[str]:
    """The `_target_` of every component that results depend on, at any depth of the configuration.

    For `hydra.utils.get_method` and similar functions it is the path of the function or class that they return.

    Example:
        >>> targets({"loss": {"_target_": "a.Loss", "parts": [{"_target_": "b.Part"}]}, "logger": {"_target_": "c.D"}})
        ['a.Loss', 'b.Part']
    """
    return sorted(set(_targets(influential(config))))


def _targets(settings: Mapping[str, Any]) -> Iterator[str]:
    """The targets of settings, which are given by dotted key."""
    for key, value in settings.items():
        if isinstance(value, list | tuple):
            yield from _targets(dict(flatten({str(place): inner for place, inner in enumerate(value)})))
        elif isinstance(value, str) and key.rpartition(".")[2] == TARGET:
            is_lookup = value.startswith("hydra.utils.get_")
            yield str(settings.get(key.removesuffix(TARGET) + "path")) if is_lookup else value


def influential(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that results depend on, by dotted key."""
    kept = {key: value for key, value in flatten(config) if not _is_excluded(key)}
    if kept.get("test") is False and kept.get("test_knowledge") != "all":
        kept.pop("test_knowledge", None)  # without a test the model is not refitted
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


@lru_cache(maxsize=4096)  # the runs of a process have the same keys
def _is_excluded(key: str) -> bool:
    return any(fnmatchcase(key, pattern) or fnmatchcase(key, f"{pattern}.*") for pattern in EXCLUDED)


def _hash(value: Any) -> str:
    """A hash whose first digit is a letter, since command lines and spreadsheets read 12e456789012 as a number."""
    digits = hashlib.sha256(canonical_json(value).encode()).hexdigest()
    return f"{'abcdef'[int(digits[:8], 16) % 6]}{digits[8:19]}"
