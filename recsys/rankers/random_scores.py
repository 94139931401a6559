"""Random scores: the baseline at chance level."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.rankers.base import Fittable, OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ModelContext, TrainInteractions

# Multipliers of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class RandomScoresRanker(Ranker, Fittable):
    """score(u, i) is uniform in [0, 1): a hash of the seed, the user and the item, so it does not depend on the batch.

    Args:
        context: Sizes of the data.
    """

    reads_user = True
    seed: Tensor

    def __init__(self, context: ModelContext) -> None:
        super().__init__()
        self.register_buffer("seed", torch.tensor(0))

    def fit(self, train: TrainInteractions) -> None:
        self.seed.fill_(train.seed)

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        return self._scores(users, items.idx)

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        return self._scores(users, items.idx)

    def _scores(self, users: UserSide, items: Tensor) -> Tensor:
        of_users = _mixed(_mixed(self.seed) + users.batch.idx)
        return _uniform(_mixed(of_users.unsqueeze(1) + items))


def _mixed(number: Tensor) -> Tensor:
    """Int64 whose bits all depend on all bits of `number`."""
    mixed = number * _signed(STEP)
    mixed = (mixed ^ _shifted(mixed, 30)) * _signed(FIRST)
    mixed = (mixed ^ _shifted(mixed, 27)) * _signed(SECOND)
    return mixed ^ _shifted(mixed, 31)


def _shifted(number: Tensor, places: int) -> Tensor:
    """Logical (unsigned) right shift."""
    return (number >> places) & ((1 << (64 - places)) - 1)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _uniform(bits: Tensor) -> Tensor:
    return _shifted(bits, 40).float() / (1 << 24)  # 24 bits, as many as a float32 holds
