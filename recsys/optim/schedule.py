"""Learning rates that change with the step."""

from __future__ import annotations

from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warm_up(optimizer: Optimizer) -> LambdaLR | None:
    """A linear warm-up of the learning rate in the groups that have `warmup_steps`; None if no group has them.

    Step 1 of n has 1/n of the learning rate; step n and all later ones have the full rate.
    """
    steps = [group.get("warmup_steps", 0) for group in optimizer.param_groups]
    return LambdaLR(optimizer, [_share(n) for n in steps]) if any(steps) else None


def _share(n_steps: int) -> Callable[[int], float]:
    return lambda step: min(1.0, (step + 1) / n_steps) if n_steps else 1.0
