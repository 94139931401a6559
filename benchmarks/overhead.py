"""What a run of a study costs beyond fitting and evaluating, in one process on the embedded data.

Example:
    python benchmarks/overhead.py
"""

from __future__ import annotations

import argparse
import tempfile
from statistics import median

from harness import console
from rich.table import Table

import recsys
from recsys.studies.jobs import Outcome
from recsys.studies.runner import StudyProgress, run_study
from recsys.tracking.record import Record

LIMIT = 1.0  # second
WORK = ("fit", "validate", "test")
SEEDS, TINY_SEEDS = 6, 2
TINY = ["data=synthetic", "data.n_users=100", "data.n_items=50", "data.n_interactions=1000"]


class Timed(StudyProgress):
    """Keeps the wall time of each run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def told(self, outcome: Outcome) -> None:
        self.seconds[str(outcome.run_id)] = outcome.seconds


def main(argv: list[str] | None = None) -> None:
    """Run a study, and print for each kind of run what it costs beyond its work.

    Raises:
        SystemExit: If that is more than `LIMIT` in the median, after the first run.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="toy data and two seeds, to see that it runs")
    is_tiny = parser.parse_args(argv).tiny
    with tempfile.TemporaryDirectory() as store:
        runs, seconds = _study(store, TINY if is_tiny else [], TINY_SEEDS if is_tiny else SEEDS)
    table = Table(title="Seconds of a run beyond fit, validation and test; the first run of the process is left out")
    for column in ("run", "runs", "median", "largest"):
        table.add_column(column, justify="left" if column == "run" else "right")
    beyond: dict[str, list[float]] = {}
    for record in runs[1:]:
        beyond.setdefault(record.name, []).append(
            seconds[record.run_id] - sum(record.times.get(stage, 0.0) for stage in WORK)
        )
    for name, own in beyond.items():
        table.add_row(name, str(len(own)), f"{median(own):.2f} s", f"{max(own):.2f} s")
    console.print(table)
    slowest = max(median(own) for own in beyond.values())
    if slowest > LIMIT and not is_tiny:
        raise SystemExit(f"{slowest:.2f} s are more than {LIMIT:.0f} s.")


def _study(store: str, base: list[str], n_seeds: int) -> tuple[list[Record], dict[str, float]]:
    timed = Timed()
    quoted = ",".join(f'"{override}"' for override in [*base, "trainer.max_epochs=2"])
    overrides = [
        "study=default",
        "study.name=overhead",
        f"study.common=[{quoted}]",
        'study.cells={cf: ["encoder=none","ranker=cf"], tfidf+dot: ["encoder=tfidf","ranker=dot"]}',
        f"study.seeds={list(range(n_seeds))}",
        f"paths.runs_dir={store}",
    ]
    result = run_study(recsys.compose(overrides, "study"), progress=timed)
    return result.records, timed.seconds


if __name__ == "__main__":
    main()
