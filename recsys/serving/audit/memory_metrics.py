"""The run's hit rates on items that a language model remembers, and on others."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig

from recsys import schema
from recsys.data.queries import has_impressions
from recsys.data.splits.split import Split
from recsys.experiment.finished import Run
from recsys.serving.audit.probes import Probes
from recsys.serving.audit.shares import share
from recsys.serving.model import serve
from recsys.serving.ranking import rank
from recsys.serving.users import known_users
from recsys.tracking.audit_findings import IS_MEASURED, IS_NOT_CHECKED, Finding

MEMORY = "memory"
BY_TITLES, BY_NEXT = "metrics by memory of titles", "metrics by memory of next items"


def metrics_by_memory(
    run: Run,
    cfg: DictConfig,
    titles: Probes,
    title_hits: NDArray[np.bool_],
    following: Probes,
    next_hits: NDArray[np.bool_],
) -> list[Finding]:
    """The run's hit rates on remembered and other titles, and on remembered and other next items of users.

    Args:
        run: A finished run.
        cfg: Configuration of `recsys audit`.
        titles: Probes of items' titles.
        title_hits: (g, k) whether they were completed.
        following: Probes of the next items of users.
        next_hits: (g', k) whether they were completed.
    """
    if has_impressions(run.split):
        text = "the test ranks the shown items only, not the catalogue"
        return [Finding(MEMORY, check, IS_NOT_CHECKED, text) for check in (BY_TITLES, BY_NEXT)]
    users, items = _positives(run.split, titles.probed.ravel(), cfg.memory.n_users, cfg.seed)
    assert following.users is not None, "probes of next items have users"
    asked = following.users[following.groups.ravel()], following.probed.ravel()
    return [
        _split(run, cfg, BY_TITLES, users, items, np.isin(items, titles.probed[title_hits]), "items"),
        _split(run, cfg, BY_NEXT, *asked, next_hits.ravel(), "next items"),
    ]


def _split(
    run: Run,
    cfg: DictConfig,
    check: str,
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    is_remembered: NDArray[np.bool_],
    kind: str,
) -> Finding:
    """Hit rates of test interactions, given as users (n,) and items (n,), by whether they are remembered (n,)."""
    if not len(users):
        return Finding(MEMORY, check, IS_NOT_CHECKED, f"the language model was not asked about {kind} of the test")
    distinct, rows = np.unique(users, return_inverse=True)
    k, ids = cfg.memory.top_k, run.split.dataset.users[schema.USER_ID][distinct]
    served = serve(run)
    best = rank(served, known_users(served, ids), k).items
    listed = (best[torch.from_numpy(rows)] == torch.from_numpy(items).unsqueeze(1)).any(dim=1).numpy()
    return by_memory(check, k, listed, is_remembered, run.split.item_counts[items], kind)


def by_memory(
    check: str,
    k: int,
    listed: NDArray[np.bool_],
    is_remembered: NDArray[np.bool_],
    counts: NDArray[np.int64],
    kind: str = "items",
) -> Finding:
    """Hit rates of the test interactions of remembered items and of others.

    Args:
        check: Name of the finding.
        k: Length of the lists.
        listed: (n,) whether a test interaction's item is in its user's list.
        is_remembered: (n,) whether the language model completes the item's title, or the user's next item.
        counts: (n,) the number of train interactions of the item.
        kind: Kind of remembered items: "items" or "next items".
    """
    texts: list[str] = []
    numbers: dict[str, float] = {}
    for name, mask in (("remembered", is_remembered), ("other", ~is_remembered)):
        n, n_right = int(mask.sum()), int(listed[mask].sum())
        if not n:
            texts.append(f"there are no {name} {kind}")
            continue
        numbers |= {f"{name}_hits": float(n_right), f"{name}_of": float(n)}
        numbers[f"{name}_train_interactions"] = float(counts[mask].mean())
        texts.append(
            f"of {n:,} test interactions of {name} {kind} {n_right:,} are in the user's {k} best "
            f"({share(n_right, n)}); these items have {counts[mask].mean():.1f} train interactions on average"
        )
    return Finding(MEMORY, check, IS_MEASURED, ". ".join(text[0].upper() + text[1:] for text in texts), numbers)


def _positives(
    split: Split, items: NDArray[np.int64], n_users: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Users (n,) and items (n,) of the test interactions with some items, for at most `n_users` random users."""
    users, tested = (split.test[column].to_numpy().astype(np.int64) for column in (schema.USER, schema.ITEM))
    is_asked = np.isin(tested, items)
    kept = np.random.default_rng(seed).permutation(np.unique(users[is_asked]))[:n_users]
    is_asked &= np.isin(users, kept)
    return users[is_asked], tested[is_asked]
