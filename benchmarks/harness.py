"""What the benchmarks share: alternating repeats, medians and their ratio, a table, and the figures as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from recsys.support.whole_files import OUTPUT, write_atomically
from recsys.tracking import environment

RESULTS = Path(__file__).parent.parent / "docs" / "performance"
console = Console()
# Before torch and tokenizers are loaded, here and in the rivals' processes.
THREADS = ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON", "LK")
os.environ.update({f"{library}_NUM_THREADS": "1" for library in THREADS} | {"TOKENIZERS_PARALLELISM": "false"})
os.environ.setdefault("RECSYS_KEEP_FREED_MEMORY", "1")  # as the command line does

Seconds = dict[str, float]  # by task


@dataclass
class Comparison:
    """Seconds of the same tasks by two contenders, repeat by repeat.

    Attributes:
        name: The benchmark's name; its file is `docs/performance/NAME.json`.
        what: One sentence on the work that is timed.
        settings: What both were told.
        ours: Our seconds of each repeat, by task.
        rival: The rival's, empty where it was left out.
        rival_name: Who the rival is.
        versions: Versions of both sides' packages.
        checks: Further figures, such as how far the results agree.
    """

    name: str
    what: str
    settings: dict[str, Any]
    rival_name: str
    ours: list[Seconds] = field(default_factory=list)
    rival: list[Seconds] = field(default_factory=list)
    versions: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)

    def tasks(self) -> list[str]:
        """The names of the tasks."""
        return list(self.ours[0])

    def ratio(self, task: str) -> float:
        """How many times faster ours is: the rival's median seconds over ours."""
        return median(self.rival, task) / median(self.ours, task)

    def run(self, repeats: int, ours: Callable[[], Seconds], rival: Callable[[], Seconds] | None) -> None:
        """Time both in turn, the first to go alternating, so that other load on the machine meets both alike."""
        for repeat in range(repeats):
            console.print(f"{self.name}: repeat {repeat + 1} of {repeats} …", style="dim")
            turns = [(self.ours, ours)] if rival is None else [(self.ours, ours), (self.rival, rival)]
            for results, contender in turns[:: -1 if repeat % 2 else 1]:
                results.append(contender())

    def agree(self, side: str, work: dict[str, int]) -> None:
        """Keep the sizes of the work that a side did.

        Raises:
            RuntimeError: If the other side did other work.
        """
        for key, value in work.items():
            if self.checks.setdefault(key, value) != value:
                raise RuntimeError(f"{side} has {value:,} {key}, the other side {self.checks[key]:,}.")

    def show(self) -> None:
        """Print medians, their range and the ratios."""
        title = f"{self.what}\n{_described(machine())}, commit {commit()}"
        table = Table(title=title, title_justify="left", show_lines=True)
        table.add_column("task\n")
        for column in ("ours", self.rival_name):
            table.add_column(f"{column}, median\nmin–max", justify="right")
        table.add_column("ratio\n", justify="right")
        for task in self.tasks():
            theirs = _cell(self.rival, task) if self.rival else "skipped"
            table.add_row(task, _cell(self.ours, task), theirs, f"{self.ratio(task):.1f}×" if self.rival else "")
        console.print(table)
        for title, facts in {"settings": self.settings, "versions": self.versions, "checks": self.checks}.items():
            console.print(f"{title}: " + ", ".join(f"{key} {value}" for key, value in facts.items()), style="dim")

    def save(self, folder: Path = RESULTS) -> Path:
        """Write all figures to `folder/NAME.json`."""
        path = folder / f"{self.name}.json"
        write_atomically(path, (json.dumps(self._figures(), indent=2, ensure_ascii=False) + "\n").encode(), OUTPUT)
        console.print(f"written to {path}")
        return path

    def _figures(self) -> dict[str, Any]:
        return {
            "benchmark": self.name,
            "what": self.what,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "machine": machine(),
            "settings": self.settings,
            "versions": self.versions,
            "median_seconds": {
                task: {"ours": median(self.ours, task), self.rival_name: median(self.rival, task)}
                for task in self.tasks()
            },
            "ratio": {task: self.ratio(task) for task in self.tasks()},
            "checks": self.checks,
            "seconds": {"ours": self.ours, self.rival_name: self.rival},
        }


def commit() -> str:
    """The short hash of the commit, and whether files differ from it."""
    state = environment.git_state()
    if state is None:
        return "unknown"
    return state["commit"][:9] + (" with uncommitted changes" if state["dirty"] else "")


def median(results: list[Seconds], task: str) -> float:
    """The median seconds of a task."""
    return statistics.median(result[task] for result in results)


def _cell(results: list[Seconds], task: str) -> str:
    seconds = [result[task] for result in results]
    return f"{statistics.median(seconds):.3f} s\n{min(seconds):.3f}–{max(seconds):.3f}"


def machine() -> dict[str, Any]:
    """The machine, and how busy it is."""
    return {**environment.machine(threads=1), "processor": _processor(), "load": round(os.getloadavg()[0], 2)}


def _described(facts: dict[str, Any]) -> str:
    return f"{facts['processor']}, {facts['n_cpus']} cores, load {facts['load']}, one thread"


def _processor() -> str:
    models = Path("/proc/cpuinfo")
    lines = models.read_text().splitlines() if models.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
