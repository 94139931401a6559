"""Closed-form sums of Adam's updates of a row over the steps in which it has no gradient."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FORGOTTEN = 1e-10  # later steps, whose update is smaller by this factor than the first missed one, are ignored
SMALLEST = 1e-300  # lower bound of a step's decay factor, so that it has a logarithm


class Factors(NamedTuple):
    """The effect of missed steps on rows with weights p and moments m and v: numbers for each row, (n,).

    p becomes `kept · (p − moved · m / (√v + offset))`, m becomes `first_kept · m`, and v `second_kept · v`.
    """

    moved: NDArray[np.float64]
    offset: NDArray[np.float64]
    kept: NDArray[np.float64]
    first_kept: NDArray[np.float64]
    second_kept: NDArray[np.float64]


class MissedSteps:
    """The sums of steps without gradient, from each step to the latest one.

    With m and v after a row's last step a, step j = a + k moves it by
    `lr·√c₂/c₁ · (β₁/√β₂)^k · m / (√v + ε·√c₂·β₂^(-k/2))`, where c₁ = 1 − β₁^j and c₂ = 1 − β₂^j correct the bias
    (Kingma and Ba, ICLR 2015). Without ε the sum over j is m/√v times a number that depends on a alone. Here the term
    with ε is replaced by its mean with the weights of that sum, so the error is of second order in ε/√v.

    Args:
        betas: β₁ and β₂; β₁ must be below √β₂.
        eps: ε.
    """

    def __init__(self, betas: tuple[float, float], eps: float) -> None:
        self.beta1, self.beta2 = betas
        fading = self.beta1 / math.sqrt(self.beta2)
        ages = np.arange(math.ceil(math.log(FORGOTTEN) / math.log(fading)), 0, -1)
        self.faded, self.faded_offset = fading**ages, eps * (self.beta1 / self.beta2) ** ages
        self.n_steps = 0
        self.moved, self.offset, self.log_kept = (np.zeros(1024) for _ in range(3))

    def forget(self) -> None:
        """Count steps from 0 again; all rows must be up to date."""
        self.n_steps = 0
        self.moved[0] = self.offset[0] = self.log_kept[0] = 0.0

    def append(self, step: int, lr: float, decay: float) -> None:
        """Add the step with the optimizer's number `step`, which multiplies weights by `decay`."""
        self._make_room()
        last = self.n_steps = self.n_steps + 1
        self.moved[last] = self.offset[last] = 0.0
        self.log_kept[last] = self.log_kept[last - 1] + math.log(max(decay, SMALLEST))
        correction = math.sqrt(1 - self.beta2**step)
        rate = lr * correction / (1 - self.beta1**step)
        since = slice(max(0, last - len(self.faded)), last)
        n = since.stop - since.start
        rates = rate * np.exp(self.log_kept[since] - self.log_kept[last])
        self.moved[since] += rates * self.faded[-n:]
        self.offset[since] += rates * correction * self.faded_offset[-n:]

    def since(self, last: NDArray[np.int32]) -> Factors:
        """The effect of all steps after `last` (n,), each of which is before the latest step."""
        missed, moved = self.n_steps - last, self.moved[last]
        kept = np.exp(self.log_kept[self.n_steps] - self.log_kept[last])
        # With a learning rate of 0 nothing moves, and the offset has no effect.
        offset = np.divide(self.offset[last], moved, out=np.ones_like(moved), where=moved > 0)
        return Factors(moved, offset, kept, _powers(self.beta1, missed), _powers(self.beta2, missed))

    def _make_room(self) -> None:
        if self.n_steps + 1 == len(self.moved):
            self.moved, self.offset, self.log_kept = (
                np.concatenate([each, each]) for each in (self.moved, self.offset, self.log_kept)
            )


def _powers(base: float, exponents: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.exp(math.log(base) * exponents)
