"""The result of `recsys.study`: runs and trials as frames, comparisons, and a card for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig, open_dict

from recsys.api.comparing import REPORT_FILES, InteractiveComparison, frame_of_csv
from recsys.api.datasets import OwnData
from recsys.api.runs import overrides_of
from recsys.config.compose import compose
from recsys.config.known_keys import check_kinds
from recsys.config.overrides import override
from recsys.config.value_checks import check_keys
from recsys.reports.cards import card
from recsys.reports.formatting import counted, seconds
from recsys.reports.over_splits import OVER, OverSplits
from recsys.reports.over_splits_report import write_over_splits
from recsys.reports.over_splits_tables import over_splits_grid
from recsys.reports.spreadsheets import grid_to_csv
from recsys.schema import ComparisonError
from recsys.studies.comparisons import comparisons, of_comparison
from recsys.studies.comparisons import over_splits as pooled
from recsys.studies.runner import Result, run_study
from recsys.studies.view import StudyView
from recsys.support.screen import Screen
from recsys.tracking.typed_commands import typed_command


@dataclass(frozen=True, repr=False)
class Study:
    """A study whose runs were made.

    Attributes:
        name: Its name.
        result: Its record, its runs' records and its failures.
        cfg: Its configuration.
    """

    name: str
    result: Result
    cfg: DictConfig

    @property
    def record(self) -> Any:
        """The study's record in the store: its definition, trials and chosen settings."""
        return self.result.record

    @property
    def failures(self) -> list[str]:
        """A sentence for each run or search that failed."""
        failed = ((own, "tuning" if own.seed is None else f"seed {own.seed}") for own in self.result.failures)
        return [f"{own.label}, {part}: {own.error}" for own, part in failed]

    @property
    def runs(self) -> pl.DataFrame:
        """One row for each run: `run_id`, `cell`, `seed`, `status`, `seconds` and its metrics of the test."""
        rows = [
            {
                "run_id": record.run_id,
                "cell": ", ".join(self.record.labels.get(record.run_id, [record.name])),
                "seed": record.seed,
                "status": record.status,
                "seconds": record.times.get("total"),
                **{name: value for name, value in record.metrics.items() if name.startswith("test/")},
            }
            for record in self.result.records
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def trials(self) -> pl.DataFrame:
        """One row for each trial of the search: `cell`, `value` on validation, and the settings as text."""
        rows = [
            {
                "cell": cell.label,
                "value": trial.value,
                "settings": ", ".join(f"{k}={v}" for k, v in trial.parameters.items()),
            }
            for cell in self.record.cells
            for trial in cell.trials
        ]
        return pl.DataFrame(rows, schema={"cell": pl.String, "value": pl.Float64, "settings": pl.String})

    @cached_property
    def comparisons(self) -> dict[str, InteractiveComparison]:
        """A comparison for each protocol, by the settings in which the protocols differ."""
        return {name: InteractiveComparison.of(own) for name, own in comparisons(self.cfg, self.result).items()}

    @property
    def comparison(self) -> InteractiveComparison:
        """The comparison of all runs.

        Raises:
            ComparisonError: If no run is finished, or the study has several protocols: see `comparisons`, and
                `over_splits` for windows of time and draws.
        """
        if len(self.comparisons) != 1:
            named = f"the protocols {', '.join(self.comparisons)}" if self.comparisons else "no finished run"
            instead = ".comparisons, or .over_splits for means over all," if self.record.windows else ".comparisons"
            raise ComparisonError(f"study {self.name} has {named}; expected one protocol. Use {instead} instead.")
        return next(iter(self.comparisons.values()))

    @cached_property
    def over_splits(self) -> OverSplits:
        """The cells over all windows of time, or draws, of the study.

        Raises:
            ComparisonError: If it has neither, or they must not be pooled.
        """
        if not self.record.windows:
            raise ComparisonError(f"study {self.name} has no windows of time and no draws: use .comparison.")
        found = pooled(self.cfg, self.result, self.comparisons)
        return replace(found, notes=[*found.notes, *self.record.warnings])

    @property
    def over_splits_table(self) -> pl.DataFrame:
        """One row for each cell: the mean of the first metric over all windows of time, or draws, and its test."""
        grid = over_splits_grid(self.over_splits, self.over_splits.metrics[0])
        return frame_of_csv(grid_to_csv(replace(grid, headers=["cell", *grid.headers[1:]])))

    def report(self, folder: str | Path | None = None) -> Path:
        """Write the report; returns its page. The default folder is that of the command `recsys study`.

        A study with windows of time, or draws, has a page over all of them, and a folder for each.

        Raises:
            ComparisonError: If no run is finished, or the study has several protocols.
        """
        folder, users = Path(folder or self.cfg.output), dict(self.cfg.user_examples)
        title = f"Study {self.name}"
        if not self.record.windows:
            return self.comparison.report(folder, title, self.record, users)
        for name, own in self.comparisons.items():
            own.report(folder / name, f"{title}, {name}", of_comparison(self.record, own), users)
        found = self.over_splits
        return write_over_splits(found, folder, f"{title} {OVER[found.unit]}", self.record.command, REPORT_FILES)[
            "html"
        ]

    def __repr__(self) -> str:
        return "\n".join(
            [
                f"Study {self.name!r}: {self._facts()}",
                *map(repr, self.comparisons.values()),
                *(f"  warning: {warning}" for warning in self.record.warnings),
                *self.failures,
            ]
        )

    def _repr_html_(self) -> str:
        parts = "".join(own._repr_html_() for own in self.comparisons.values())
        return card(f"Study {self.name}", parts, "; ".join([self._facts(), *self.record.warnings, *self.failures]))

    def _facts(self) -> str:
        own = self.result
        trials = f", {counted(own.n_trials, 'trial')}" if own.n_trials else ""
        made = f"{counted(own.n_made, 'run')} made, {own.n_found} found{trials}"
        return f"{made}, {len(own.failures)} failed, {seconds(own.seconds)}"


def make_study(
    configuration: Sequence[Any], data: OwnData | None, keys: Mapping[str, Any], progress: bool = False
) -> Study:
    """Make a study's runs; see `recsys.study`."""
    given = overrides_of(configuration)
    if not any(one.startswith("study=") for one in given):
        given = ["study=default", *given]
    cfg = compose(given, "study")
    check_keys("study", keys, list(cfg.study))
    common = keys.get("common", cfg.study.common)
    own = {**keys, "common": [*overrides_of([], data), *(common or [])] or None}
    with open_dict(cfg):
        cfg.study.update(own)
        cfg.overrides = [*given, *(override(f"study.{key}", value) for key, value in own.items())]
    check_kinds(cfg, "study")
    command = typed_command("study", cfg.overrides)
    view = StudyView(cfg, Screen(force_terminal=False)) if progress else None
    return Study(cfg.study.name, run_study(cfg, command, view), cfg)
