"""A study with a time limit: every cell gets the same number of trials and seeds, as many as fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from omegaconf import DictConfig
from rich.console import Console

from recsys.config.compose import build, compose
from recsys.config.overrides import override
from recsys.reports.formatting import seconds
from recsys.studies.answers.answer_view import AnswerView
from recsys.studies.answers.budget import LATER_TRIAL, LEVELS, READY, Budget, Level, choose_budget, measures_next
from recsys.studies.answers.candidates import Candidate, Group
from recsys.studies.answers.ledger import Ledger
from recsys.studies.jobs import Outcome
from recsys.studies.plan import plan as planned_cells
from recsys.studies.runner import Result, run_study, tune_study
from recsys.tracking.study_record import study_folder
from recsys.tracking.typed_commands import typed_command

Say = Callable[[str], None]
BASELINE = "popularity"
LEAST_COST = 0.05  # least seconds of a first trial: composing a configuration takes about as long


@dataclass(frozen=True)
class TimedPlan:
    """The plan of a study with a time limit.

    Attributes:
        name: Name of the study.
        common: Overrides of every run: data, split and further ones.
        further: Overrides of the command `study`: launcher and paths.
        metrics: Metrics of the test; the comparisons use the first.
        groups: Groups of cells, the most important first.
        minutes: Time limit.
    """

    name: str
    common: list[str]
    further: list[str]
    metrics: list[str]
    groups: list[Group]
    minutes: float

    def cfg(self, cells: Iterable[Candidate], level: Level) -> DictConfig:
        """The configuration of `recsys study` with these cells."""
        given = ["study=default", "search=tpe", "search.defaults_first=true", override("search.n_trials", level.trials)]
        own = {
            "name": self.name,
            "common": self.common,
            "cells": {cell.label: cell.overrides for cell in cells},
            "seeds": list(range(level.seeds)),
            "baseline": BASELINE,
            "metrics": self.metrics,
        }
        return compose([*given, *self.further, *(override(f"study.{key}", own[key]) for key in own)], "study")


@dataclass(frozen=True)
class TimedStudy:
    """A finished study with a time limit.

    Attributes:
        cfg: Configuration of the study.
        result: Its record and runs.
        cells: The cells that were kept.
        dropped: Names of the groups of cells that did not fit into the time.
        level: Trials and seeds of each cell.
        seconds: Seconds that were spent, over all calls.
        minutes: Time limit.
        notes: Notes on the time.
    """

    cfg: DictConfig
    result: Result
    cells: list[Candidate]
    dropped: list[str]
    level: Level
    seconds: float
    minutes: float
    notes: list[str] = field(default_factory=list)


def check_timed(plan: TimedPlan) -> None:
    """Compose and check all cells of a study.

    Raises:
        ConfigError: If a cell's configuration is invalid.
    """
    planned_cells(plan.cfg(_cells(plan.groups), LEVELS[0]))


def make_timed(plan: TimedPlan, console: Console, say: Say, spent: float = 0.0) -> TimedStudy:
    """Measure the cells, decide what fits, tune in blocks of equal numbers of trials, and make the tested runs.

    Args:
        plan: The study.
        console: Where its progress is shown.
        say: Prints a sentence about the progress.
        spent: Seconds that count for the time limit and were spent before, such as those of encoding.

    Raises:
        ConfigError: If a cell's configuration is invalid; before the first trial.
        RecordError: If the ledger is damaged.
        StoreError: If the store cannot be written.
    """
    first = plan.cfg(_cells(plan.groups), LEVELS[0])
    folder = study_folder(Path(first.paths.runs_dir), plan.name)
    ledger = Ledger.read(folder, plan.minutes)
    ledger.spent += spent
    view = AnswerView(first, console, ledger)
    with view.shown():
        return _Maker(plan, ledger, view, say, int(build("launcher", first.launcher).n_workers)).make()


def _cells(groups: Iterable[Group]) -> list[Candidate]:
    return [cell for group in groups for cell in group.cells]


@dataclass
class _Maker:
    plan: TimedPlan
    ledger: Ledger
    view: AnswerView
    say: Say
    n_workers: int
    costs: dict[str, float] = field(default_factory=dict)  # seconds of the first trial, by label

    def make(self) -> TimedStudy:
        if not (self.ledger.n_groups and self.ledger.seeds):
            self._measure()
            self._decide()
            self._tune()
        kept = self.plan.groups[: self.ledger.n_groups]
        level = Level(self.ledger.done, self.ledger.seeds)
        cfg = self.plan.cfg(_cells(kept), level)
        command = typed_command("study", cfg.overrides)
        self.view.cfg = cfg
        result = run_study(cfg, command, self.view)
        self.ledger.write()
        dropped = [group.name for group in self.plan.groups[len(kept) :]]
        spent = self.ledger.seconds
        return TimedStudy(cfg, result, _cells(kept), dropped, level, spent, self.plan.minutes)

    def _remaining(self) -> float:
        return self.plan.minutes * 60 * READY - self.ledger.seconds

    def _measure(self) -> None:
        """Make the first trials, group by group, while the smallest search would still fit with the next group."""
        ledger = self.ledger
        groups = self.plan.groups[: ledger.n_groups or None]
        for place, group in enumerate(groups):
            costs = self._by_group(groups[:place])
            estimate = max(self.costs.values(), default=0.0) * len(group.cells)
            is_new = place >= max(1, ledger.measured)
            if is_new and not measures_next(costs, estimate, self._remaining(), self.n_workers):
                break
            self.view.expect(self._remaining())
            self._tune_all(group.cells, 1)
            ledger.measured = max(ledger.measured, place + 1)
            ledger.begun, ledger.done = max(1, ledger.begun), max(1, ledger.done)
            ledger.write()

    def _tune_all(self, cells: Sequence[Candidate], trials: int) -> None:
        self.view.cfg = self.plan.cfg(cells, Level(trials, 1))
        for outcome in tune_study(self.view.cfg, self.view):
            self._add(outcome)

    def _add(self, outcome: Outcome) -> None:
        """Update the cost of a cell; later trials count if they took longer than expected."""
        known = [trial.seconds for trial in outcome.trials if trial.seconds is not None]
        if known:
            later = fmean(known[1:]) / LATER_TRIAL if known[1:] else 0.0
            self.costs[outcome.label] = max(known[0], later, LEAST_COST)

    def _by_group(self, groups: Sequence[Group]) -> list[list[float]]:
        """The costs of the cells of each group; cells without a search, such as random scores, count as the fastest."""
        fastest = min(self.costs.values(), default=LEAST_COST)
        return [[self.costs.get(cell.label, fastest) for cell in group.cells] for group in groups]

    def _decide(self) -> None:
        """Choose the groups that are kept."""
        groups = self.plan.groups[: self.ledger.measured]
        budget = choose_budget(self._by_group(groups), self._remaining(), self.n_workers, self.ledger.done)
        self.ledger.n_groups = self.ledger.n_groups or budget.n_groups
        self.ledger.write()
        kept, dropped = self.plan.groups[: self.ledger.n_groups], self.plan.groups[self.ledger.n_groups :]
        self.say(_told(budget, len(_cells(kept)), self.n_workers))
        if dropped:
            self.say(f"Left out for lack of time: {', '.join(group.name for group in dropped)}.")
        if not budget.fits:
            self.say(f"Even this takes longer than minutes={self.plan.minutes:g}.")

    def _tune(self) -> None:
        """Make blocks of trials, as long as the next block and the tested runs fit."""
        ledger, kept = self.ledger, self.plan.groups[: self.ledger.n_groups]
        block = ledger.begun if ledger.begun > 1 else None  # complete an interrupted block for all cells
        while True:
            flat = [cost for own in self._by_group(kept) for cost in own]
            budget = choose_budget([flat], self._remaining(), self.n_workers, ledger.done)
            self.view.expect(budget.seconds)
            later = (level.trials for level in LEVELS if ledger.done < level.trials <= budget.level.trials)
            block = block or min(later, default=None)
            if block is None:
                break
            ledger.begun = block
            ledger.write()
            self._tune_all(_cells(kept), block)
            ledger.done, block = block, None
            ledger.write()
        ledger.seeds = budget.level.seeds
        ledger.write()


def _told(budget: Budget, n_cells: int, n_workers: int) -> str:
    level = budget.level
    trials = f"{level.trials} trials" if level.trials > 1 else "1 trial (untuned)"
    seeds = f"{level.seeds} seeds" if level.seeds > 1 else "1 seed"
    at_once = f", {n_workers} jobs at a time" if n_workers > 1 else ""
    return f"{n_cells} cells with {trials} and {seeds} each: about {seconds(budget.seconds)}{at_once}."
