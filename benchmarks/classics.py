"""`als`, `itemknn` and `cf` with BPR against implicit's and LensKit's: seconds to fit, and to recommend to all users.

All are trained on the same synthetic log, whole, with one thread.

Example:
    python benchmarks/classics.py --rival implicit --shape ml-1m
    python benchmarks/classics.py --rival lenskit --shape ml-20m --repeats 1
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import rival_classics as rivals
from environments import LENSKIT
from harness import Comparison, Seconds, console
from numpy.typing import NDArray
from rival_classics import Log
from rival_process import measured
from synthetic_log import drawn_pairs

from recsys.tracking import environment

SHAPES = {  # users, items, interactions
    "tiny": (60, 40, 900),
    "ml-100k": (943, 1_682, 100_000),
    "ml-1m": (6_040, 3_706, 1_000_000),
    "ml-20m": (138_493, 26_744, 20_000_263),
}
SKEWS = (0.5, 0.8)  # of users and items
N_ITERATIONS = {"tiny": 2, "ml-100k": 15, "ml-1m": 15, "ml-20m": 2}
FITS = [rivals.ALS_FIT, rivals.KNN_FIT]
ALL = [*FITS, rivals.ALS_TOP, rivals.KNN_TOP]
TASKS = {"implicit": [*ALL, rivals.CG_FIT, rivals.KNOWN_TOP, rivals.BPR_EPOCH], "lenskit": ALL}
LARGEST = {"implicit": [*FITS, rivals.CG_FIT], "lenskit": FITS}  # of the largest log
SIMILARITY, TOP_ITEMS = "largest difference of a similarity", "share of a user's top items that differ, {}"


@dataclass
class Work:
    """One log, and what both sides made of it.

    Attributes:
        rival: The rival's name.
        path: The log's file.
        log: The log.
        tasks: What is timed.
        made: Our factors, similarities and lists of items.
    """

    rival: str
    path: Path
    log: Log
    tasks: list[str]
    made: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        """Where the rival writes what it made."""
        return self.path.with_name("results.npz")


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print its table and write its figures.

    Raises:
        SystemExit: If both sides' numbers differ by more than rounding explains.
    """
    arguments = _arguments(argv)
    shape = "tiny" if arguments.tiny else arguments.shape
    if arguments.tiny and not _is_there(arguments.rival):
        console.print(f"{arguments.rival} is left out: it is not installed.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        users, items = drawn_pairs(SHAPES[shape], SKEWS, np.random.default_rng(0))
        log = Log(users, items, np.array(SHAPES[shape][:2]), np.array(N_ITERATIONS[shape]))
        work = Work(arguments.rival, Path(scratch) / "log.npz", log, _tasks(arguments.rival, shape))
        log.write(work.path)
        comparison = _comparison(arguments.rival, shape)
        comparison.run(
            1 if arguments.tiny else arguments.repeats, partial(_ours, work), partial(_theirs, work, comparison)
        )
        comparison.checks = _checks(work)
    comparison.show()
    if not arguments.tiny:
        comparison.save()
    for name, tolerance in _tolerances(arguments.rival, shape).items():
        if comparison.checks.get(name, 0) > tolerance:
            raise SystemExit(f"{name} is more than {tolerance}: this compares different work.")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rival", choices=list(TASKS), default="implicit")
    parser.add_argument("--shape", choices=[shape for shape in SHAPES if shape != "tiny"], default="ml-100k")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a few seconds on toy data, to see that it runs")
    return parser.parse_args(argv)


def _is_there(rival: str) -> bool:
    return LENSKIT.is_installed() if rival == "lenskit" else find_spec(rival) is not None


def _tasks(rival: str, shape: str) -> list[str]:
    return (LARGEST if shape == "ml-20m" else TASKS)[rival]


def _tolerances(rival: str, shape: str) -> dict[str, float]:
    # LensKit sums in float32: 60,000 equal terms with the sum 1 are off by 5e-4.
    return {SIMILARITY: 1e-3 if (rival, shape) == ("lenskit", "ml-20m") else 1e-4, TOP_ITEMS.format("als"): 0.01}


def _comparison(rival: str, shape: str) -> Comparison:
    n_users, n_items, n_pairs = SHAPES[shape]
    return Comparison(
        name=f"classics-{rival}-{shape}",
        what=f"Classic models on a synthetic log of {n_users:,} users × {n_items:,} items × {n_pairs:,} interactions",
        settings={
            "n_factors": rivals.N_FACTORS,
            "n_iterations of als": N_ITERATIONS[shape],
            "n_neighbors": rivals.N_NEIGHBORS,
            "threads": 1,
        },
        rival_name=rival,
        versions=environment.versions(),
    )


def _theirs(work: Work, comparison: Comparison) -> Seconds:
    python = LENSKIT.python() if work.rival == "lenskit" else sys.executable
    figures = measured(python, "rival_classics.py", work.rival, work.path, json.dumps(work.tasks), work.results)
    comparison.versions[work.rival] = figures["version"]
    return {task: figures["seconds"][task] for task in work.tasks}


def _ours(work: Work) -> Seconds:
    import torch
    from our_classics import bpr_epoch, fitted, top_items

    torch.set_num_threads(1)
    for name in ("als", "itemknn"):
        top_items(fitted(name, rivals.FEW)[0], rivals.FEW)
    seconds: Seconds = {}
    als, seconds[rivals.ALS_FIT] = fitted("als", work.log)
    knn, seconds[rivals.KNN_FIT] = fitted("itemknn", work.log)
    work.made = {"factors": als.item_factors.numpy(), "similarity": rivals.sorted_rows(knn.weights.matrix())}
    seconds[rivals.CG_FIT] = seconds[rivals.ALS_FIT]
    for task, ranker in ((rivals.ALS_TOP, als), (rivals.KNN_TOP, knn)):
        if task in work.tasks:
            start = time.perf_counter()
            work.made[task] = top_items(ranker, work.log)
            seconds[task] = time.perf_counter() - start
    seconds[rivals.KNOWN_TOP] = seconds.get(rivals.ALS_TOP, 0.0)
    if rivals.BPR_EPOCH in work.tasks:
        seconds[rivals.BPR_EPOCH] = bpr_epoch(work.log, work.path.parent)
    return {task: seconds[task] for task in work.tasks}


def _checks(work: Work) -> dict[str, float]:
    with np.load(work.results) as theirs:
        checks = {SIMILARITY: _largest(work.made["similarity"], theirs["similarity"])}
        if "factors" in theirs:
            checks["largest difference of an item factor"] = _largest(work.made["factors"], theirs["factors"])
            checks["largest item factor"] = float(np.abs(theirs["factors"]).max())
        for task, name in ((rivals.ALS_TOP, "als"), (rivals.KNN_TOP, "itemknn")):
            if task in theirs:
                missing = [len(np.setdiff1d(*lists)) for lists in zip(work.made[task], theirs[task], strict=True)]
                checks[TOP_ITEMS.format(name)] = float(np.mean(missing)) / rivals.K
    return checks


def _largest(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    return float(np.abs(ours - theirs).max())


if __name__ == "__main__":
    main()
