"""Six ranking metrics at 10 of 100 thousand users against ranx, torchmetrics, RecTools and LensKit.

All are given the same ranked lists and relevant items as arrays, and must give the same means.

Example:
    python benchmarks/ranking_metrics.py
    python benchmarks/ranking_metrics.py --rivals ranx --repeats 5
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from environments import LENSKIT, RECTOOLS, Environment
from harness import Comparison, Seconds, console
from hydra.utils import get_class
from rival_metrics import RIVALS, WARM_UP, Inputs, K
from rival_process import measured

from recsys.config.compose import compose
from recsys.tracking import environment

N_USERS, TINY_USERS = 100_000, 300
N_ITEMS, N_CANDIDATES, SHARE = 2**14, 40, 0.15  # a user's candidates, and how many of them are relevant
WHOLE, ALONE = "from arrays to means", "the metrics alone, from the library's own form"
TOLERANCE = 1e-6
ENVIRONMENTS: dict[str, Environment] = {"rectools": RECTOOLS, "lenskit": LENSKIT}  # the others are in ours


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print a table for each rival and write its figures.

    Raises:
        SystemExit: If a mean differs by more than `TOLERANCE`.
    """
    arguments = _arguments(argv)
    inputs = made(TINY_USERS if arguments.tiny else N_USERS)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "inputs.npz"
        inputs.write(path)
        for rival in arguments.rivals:
            if arguments.tiny and not _is_there(rival):
                console.print(f"{rival} is left out: it is not installed.")
                continue
            comparison = _compared(rival, inputs, path, 1 if arguments.tiny else arguments.repeats)
            comparison.show()
            if not arguments.tiny:
                comparison.save()
            if comparison.checks["largest difference of a mean"] > TOLERANCE:
                raise SystemExit(f"A mean of {rival} differs by more than {TOLERANCE}: this compares different work.")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", nargs="+", choices=list(RIVALS), default=list(RIVALS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help=f"{TINY_USERS} users, once, to see that it runs")
    return parser.parse_args(argv)


def _is_there(rival: str) -> bool:
    return ENVIRONMENTS[rival].is_installed() if rival in ENVIRONMENTS else find_spec(rival) is not None


def made(n_users: int, seed: int = 0) -> Inputs:
    """Each user's `N_CANDIDATES` distinct items, of which the first K are listed and a share is relevant."""
    generator = np.random.default_rng(seed)
    start, step = generator.integers(0, N_ITEMS, (2, n_users, 1))
    candidates = (start + (2 * step + 1) * np.arange(N_CANDIDATES)) % N_ITEMS  # distinct, as an odd step is
    relevant = generator.random(candidates.shape) < SHARE
    relevant[:, -1] |= ~relevant.any(axis=1)
    users, places = relevant.nonzero()
    return Inputs(candidates[:, :K], users, candidates[users, places])


def _compared(rival: str, inputs: Inputs, path: Path, repeats: int) -> Comparison:
    comparison = Comparison(
        name=f"metrics-{rival}",
        what=f"Ranking metrics at {K} of {len(inputs.listed):,} users",
        settings={"users": len(inputs.listed), "relevant items": len(inputs.users), "threads": 1},
        rival_name=rival,
        versions=environment.versions(),
    )
    means: dict[str, dict[str, float]] = {}
    comparison.run(
        repeats, partial(_ours, inputs, RIVALS[rival].names, means), partial(_theirs, rival, path, means, comparison)
    )
    shared = means["rival"]
    comparison.checks = {
        **{f"{name}@{K}, ours and theirs": [means["ours"][name], shared[name]] for name in shared},
        "largest difference of a mean": max(abs(means["ours"][name] - shared[name]) for name in shared),
    }
    return comparison


def _theirs(rival: str, path: Path, means: dict[str, dict[str, float]], comparison: Comparison) -> Seconds:
    python = ENVIRONMENTS[rival].python() if rival in ENVIRONMENTS else sys.executable
    figures = measured(python, "rival_metrics.py", rival, path)
    means["rival"] = figures["means"]
    comparison.versions[rival] = figures["version"]
    return {WHOLE: figures["prepare"] + figures["evaluate"], ALONE: figures["evaluate"]}


def _ours(inputs: Inputs, names: tuple[str, ...], means: dict[str, dict[str, float]]) -> Seconds:
    """Ours has no form of its own: both tasks begin at the arrays."""
    configured = compose().metrics.metrics
    classes = {name: get_class(configured[name]._target_) for name in names}
    measure(inputs.first(WARM_UP), classes)
    start = time.perf_counter()
    means["ours"] = measure(inputs, classes)
    seconds = time.perf_counter() - start
    return {WHOLE: seconds, ALONE: seconds}


def measure(inputs: Inputs, classes: Mapping[str, Any]) -> dict[str, float]:
    """Means by name."""
    import torch

    from recsys.metrics.context import MetricContext
    from recsys.metrics.ranked import Hits

    keys = np.sort(inputs.users * N_ITEMS + inputs.items)
    listed = np.arange(len(inputs.listed))[:, None] * N_ITEMS + inputs.listed
    hits = keys[np.searchsorted(keys, listed).clip(max=len(keys) - 1)] == listed
    n_positives = np.bincount(inputs.users, minlength=len(hits))
    batch = Hits(torch.arange(len(hits)), torch.from_numpy(hits), torch.from_numpy(n_positives))
    nothing = torch.zeros(0)
    context = MetricContext(N_ITEMS, nothing, 0, nothing)
    metrics = {name: metric([K], context) for name, metric in classes.items()}
    for metric in metrics.values():
        metric.update(batch)
    return {name: float(metric.compute()) for name, metric in metrics.items()}


if __name__ == "__main__":
    main()
