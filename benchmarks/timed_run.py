"""One run of ours in a process of its own, whose peak memory is that of the run; prints a JSON line."""

from __future__ import annotations

import json
import statistics
import sys
from typing import Any

from epoch_timer import EpochTimer

from recsys.tracking.memory import peak_mb


def measure(
    overrides: list[str], bare_epochs: int = 0, bare_steps: int | None = None, steps: int | None = None
) -> dict[str, Any]:
    """Seconds of an epoch and of an evaluation, without the first of each, and what the run was.

    Args:
        overrides: Of the run.
        bare_epochs: Epochs of a plain torch loop on the same examples to be timed too; 0 for none.
        bare_steps: Steps of these, whose seconds are multiplied; None for all.
        steps: Steps of an epoch, whose seconds are multiplied; None for all.
    """
    import recsys

    timer = "+callbacks.epoch_timer={_target_: epoch_timer.EpochTimer, steps: %d}"
    run = recsys.run([*overrides, timer % (steps or 0)])
    peak = peak_mb()
    seconds = {"epoch": EpochTimer.epochs[1:], "evaluation": EpochTimer.validations[1:]}
    return {
        **{name: statistics.median(values) for name, values in seconds.items()},
        "peak_mb": round(peak),
        "train_interactions": run.split.train.height,
        "test_users": run.split.test.height,
        "train_users": int(run.split.warm_users.sum()),
        "ndcg@10": run.record.metrics["test/ndcg@10"],
        "bare_epoch": _bare(run.split.train, bare_epochs, bare_steps) if bare_epochs else None,
    }


def _bare(train: Any, epochs: int, steps: int | None) -> float:
    import torch
    from bare_torch import epoch_seconds
    from compared_models import BATCH_SIZE, DIM

    users, items = (torch.tensor(train[column].to_numpy()).long() for column in ("user", "item"))
    return epoch_seconds(users, items, DIM, BATCH_SIZE, epochs, steps or 0)


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))
