"""Checks of a study's yaml, before its cells are composed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from recsys.config.compose import plain
from recsys.config.known_keys import keys_of
from recsys.config.signatures import check_arguments
from recsys.config.value_checks import (
    SEEDS,
    check_choices,
    check_finite,
    check_flags,
    check_keys,
    check_texts,
)
from recsys.experiment.built_once import metric_suite
from recsys.reports.report import FILES
from recsys.schema import TEST, ConfigError
from recsys.support.near_names import nearest
from recsys.support.number_checks import check_whole


def check_study(cfg: DictConfig) -> None:
    """Raise an error for unknown keys of `study` or `search`, and for values of a wrong type.

    Raises:
        ConfigError: If a key is unknown or missing, or a value has a wrong type; the message names the key.
    """
    known = keys_of("study", "default", "study")
    _check_group(cfg, "study", known)
    _check_group(cfg, "search", keys_of("search", "none", "study"))
    check_finite(plain(cfg))
    for part in ("sampler", "pruner"):
        if cfg.search[part] is not None:
            check_arguments(f"search.{part}", plain(cfg.search[part]))
    missing = [key for key in known if key not in cfg.study]
    if missing:
        raise ConfigError(f"study.{missing[0]} is missing: begin the study's yaml with `defaults: [default, _self_]`.")
    study = plain(cfg.study)
    if not isinstance(study["name"], str):
        raise ConfigError(f"study.name is {study['name']!r}; expected a text.")
    if not isinstance(study["seeds"], list):
        raise ConfigError(f"study.seeds is {study['seeds']!r}; expected a list such as [0,1,2].")
    for seed in study["seeds"]:
        check_whole("study.seeds", seed, 0, below=SEEDS)
    check_texts("study.metrics", study["metrics"])
    if study["only"] is not None:
        check_texts("study.only", study["only"])
    if not study["metrics"]:
        raise ConfigError("study.metrics is empty; expected a list such as [ndcg@10,recall@10].")
    check_choices("formats", plain(cfg)["formats"], list(FILES))
    check_flags(cfg, "dry_run", "retry_failed", "quiet")


def _check_group(cfg: DictConfig, group: str, read: Sequence[str]) -> None:
    """Raise an error for keys of a group that neither recsys reads nor the chosen option's yaml has.

    A key of the user's own yaml is accepted, unless it resembles a key that recsys reads, or is one of the command, and
    no `${…}` refers to it.

    Args:
        cfg: The configuration.
        group: `study` or `search`.
        read: The keys that recsys reads.
    """
    referred = re.findall(rf"\$\{{{group}\.(\w+)", OmegaConf.to_yaml(cfg, resolve=False))
    own = [key for key in keys_of(group, cfg.choices.get(group), "study") if key in read or not nearest(key, read)]
    check_keys(group, cfg[group], [*read, *own, *referred])
    misplaced = [key for key in cfg[group] if key in cfg and key not in read and key not in referred]
    if misplaced:
        key = misplaced[0]
        example = f"{key}.{next(iter(cfg[group][key]))}=…" if isinstance(cfg[group][key], DictConfig) else f"{key}=…"
        raise ConfigError(
            f"{group}.{key} has no effect, since {key} is a key of the command: give {example} on the command line."
        )


def check_metrics(cfg: DictConfig, runs: Sequence[DictConfig]) -> None:
    """Raise an error for metrics of the report that a run of the study does not compute in its test.

    Raises:
        ConfigError: If there is such a metric; the message lists the computed ones.
    """
    for names in dict.fromkeys(tuple(metric_suite(run).names(TEST)) for run in runs):
        wanted = [name for name in cfg.study.metrics if "/" not in name]  # with a slash: metrics of a segment
        check_choices("study.metrics", wanted, names)
