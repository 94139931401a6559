"""Training examples of a prompt ranker: histories that end before their targets, and a retriever's candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.rankers.base import Fittable, Ranker, SharedItems, UserSide
from recsys.rankers.reranking import best_unseen
from recsys.schema import ConfigError, ModelContext, TrainInteractions, UserBatch
from recsys.support.number_checks import check_number, check_whole

USERS_AT_ONCE = 256
TRIED = 4  # candidates are retrieved for so many times `n_users`, since not all users have a retrieved target


@dataclass(frozen=True)
class PromptTraining:
    """How a prompt ranker is trained.

    Attributes:
        n_users: Users of the training examples, drawn at random.
        n_validation_users: Users of the validation loss; the same for all runs on the same train part.
        target_share: Share of a user's train items that are targets: the newest ones, at least one.
        n_negatives: Number of other candidates for each target, with score=yes_no.
        max_epochs: Maximum number of epochs; each has other orders of candidates, and other negatives.
        patience: Training stops after this many epochs without a lower validation loss.
        batch_tokens: Tokens of a step.

    Raises:
        ConfigError: If a value is impossible.
    """

    n_users: int = 200
    n_validation_users: int = 30
    target_share: float = 0.2
    n_negatives: int = 3
    max_epochs: int = 2
    patience: int = 1
    batch_tokens: int = 4096

    def __post_init__(self) -> None:
        for key in ("n_users", "n_validation_users", "n_negatives", "max_epochs", "patience", "batch_tokens"):
            check_whole(f"ranker.training.{key}", getattr(self, key), 1)
        check_number("ranker.training.target_share", self.target_share, above=0, below=1)


@dataclass(frozen=True)
class RetrievedTargets:
    """Users whose candidates have at least one target and one other item.

    Attributes:
        users: Their histories before the targets.
        items: (B, N) candidates.
        mask: (B, N) which of them are real.
        is_target: (B, N) which of them are targets.
    """

    users: UserBatch
    items: Tensor
    mask: Tensor
    is_target: Tensor

    def __len__(self) -> int:
        return len(self.items)


def retrieved_targets(
    train: TrainInteractions,
    context: ModelContext,
    retriever: Callable[[ModelContext], Ranker],
    training: PromptTraining,
    top_n: int,
) -> tuple[RetrievedTargets, RetrievedTargets]:
    """The users of the training loss and those of the validation loss.

    A user's newest train items are targets, and the items before them are the history. The retriever of the candidates
    is fitted on the train interactions that are no user's targets. So it has no target, and no later interaction of the
    same user. It may have later interactions of other users, as the retriever at test time.

    Raises:
        ConfigError: If no user has a retrieved target.
    """
    is_target = newest_of_users(train, training.target_share)
    known = without_targets(train, training.target_share)
    counts = torch.from_numpy(np.bincount(known.items, minlength=train.n_items))
    warm = torch.from_numpy(np.bincount(known.users, minlength=train.n_users) > 0)
    ranker = retriever(replace(context, item_counts=counts, warm_users=warm))
    if isinstance(ranker, Fittable):
        ranker.fit(known)
    # The seed of a run is not used: early stopping sees the same users in every run.
    drawn = np.random.default_rng(0).permutation(np.unique(train.users[is_target]))
    n_held = min(training.n_validation_users, len(drawn) // 4 + 1)
    parts = [drawn[:n_held], drawn[n_held:][: TRIED * training.n_users]]
    held, used = (_retrieved(ranker, users, train, is_target, top_n) for users in parts)
    used = _first(used, training.n_users)
    if not len(held) or not len(used):
        raise ConfigError(
            "finetune: the retriever's candidates contain no target of the training or the validation users. Raise "
            "ranker.top_n, ranker.training.target_share or n_validation_users, or choose another retriever."
        )
    return used, held


def without_targets(train: TrainInteractions, share: float) -> TrainInteractions:
    """The train interactions that are no targets of the training; see `newest_of_users`."""
    kept = ~newest_of_users(train, share)
    times = None if train.timestamps is None else train.timestamps[kept]
    return replace(train, users=train.users[kept], items=train.items[kept], timestamps=times)


def newest_of_users(train: TrainInteractions, share: float) -> NDArray[np.bool_]:
    """(n,) bool: the newest `share` of each user's interactions, at least one; never a user's oldest one."""
    order = _by_time(train)
    users = train.users[order]
    counts = np.bincount(users, minlength=train.n_users)
    order = order[np.argsort(users, kind="stable")]
    users = train.users[order]
    from_end = np.cumsum(counts)[users] - 1 - np.arange(len(users))
    n_targets = np.minimum(np.maximum(1, (share * counts).astype(np.int64)), np.maximum(counts - 1, 0))
    found = np.zeros(len(users), dtype=bool)
    found[order] = from_end < n_targets[users]
    return found


def _by_time(train: TrainInteractions) -> NDArray[np.int64]:
    if train.timestamps is None:
        return np.random.default_rng(train.seed).permutation(len(train.items))
    return np.argsort(train.timestamps, kind="stable")


def _retrieved(
    ranker: Ranker, users: NDArray[np.int64], train: TrainInteractions, is_target: NDArray[np.bool_], top_n: int
) -> RetrievedTargets:
    order = _by_time(train)
    owners, done, later = train.users[order], train.items[order], is_target[order]
    past, wanted = (_lists(users, owners[part], done[part]) for part in (~later, later))
    batch = UserBatch(torch.from_numpy(users), past.clamp(min=0), past >= 0)
    parts = [_candidates(ranker, part, train.n_items, top_n) for part in batch.split(USERS_AT_ONCE)]
    items, mask = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    found = (items.unsqueeze(2) == wanted.unsqueeze(1)).any(dim=2) & mask
    useful = found.any(dim=1) & (mask & ~found).any(dim=1)
    return _chosen(RetrievedTargets(batch, items, mask, found), useful.nonzero().squeeze(1))


def _candidates(ranker: Ranker, users: UserBatch, n_items: int, top_n: int) -> tuple[Tensor, Tensor]:
    everything = SharedItems(torch.arange(n_items), torch.empty(n_items, 0))
    scores = ranker.score_catalogue(UserSide(users, torch.empty(len(users.idx), 0)), everything)
    items, mask = best_unseen(scores, users, top_n)
    missing = max(0, top_n - items.shape[1])  # of a catalogue with fewer items
    return torch.nn.functional.pad(items, (0, missing)), torch.nn.functional.pad(mask, (0, missing))


def _lists(users: NDArray[np.int64], owners: NDArray[np.int64], items: NDArray[np.int64]) -> Tensor:
    """(B, L) the items of `users` (B,), in their order, with -1 after them."""
    row = np.full(int(max(users.max(initial=0), owners.max(initial=0))) + 1, -1)
    row[users] = np.arange(len(users))
    kept = row[owners] >= 0
    rows, items = row[owners[kept]], items[kept]
    order = np.argsort(rows, kind="stable")
    rows, items = rows[order], items[order]
    lengths = np.bincount(rows, minlength=len(users))
    table = np.full((len(users), int(lengths.max(initial=0))), -1)
    table[rows, np.arange(len(rows)) - (np.cumsum(lengths) - lengths)[rows]] = items
    return torch.from_numpy(table)


def _first(found: RetrievedTargets, n: int) -> RetrievedTargets:
    return _chosen(found, torch.arange(min(n, len(found))))


def _chosen(found: RetrievedTargets, rows: Tensor) -> RetrievedTargets:
    users = UserBatch(found.users.idx[rows], found.users.history[rows], found.users.history_mask[rows])
    return RetrievedTargets(users, found.items[rows], found.mask[rows], found.is_target[rows])
