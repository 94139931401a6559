"""The result of `recsys.compare`: frames, charts, and a card for notebooks."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from recsys.api.runs import open_run
from recsys.config.compose import compose
from recsys.config.overrides import override
from recsys.experiment.finished import Run
from recsys.reports.cards import card, grid_html, list_html, picture_html
from recsys.reports.comparison import Comparison, compare
from recsys.reports.findings import headline
from recsys.reports.formatting import counted, interval, metric_name, number
from recsys.reports.inference import Inference
from recsys.reports.scores import ends_of
from recsys.reports.short_table import short_grid, short_note
from recsys.reports.spreadsheets import pairs_to_csv, segments_to_csv, to_csv
from recsys.schema import ComparisonError, ConfigError
from recsys.serving.report_users import check_user_examples, user_examples
from recsys.tracking.record import Record
from recsys.tracking.store import Store
from recsys.tracking.study_record import StudyRecord

REPORT_FILES = ("html", "md", "csv", "pairs", "segments", "tex")  # of reports
METRICS = ("ndcg@10", "recall@10", "coverage@10")
MOST_LINES = 6  # maximum number of cells in a `repr`


@dataclass(frozen=True, repr=False)
class InteractiveComparison(Comparison):
    """Cells of one protocol with their intervals, as frames and charts."""

    @classmethod
    def of(cls, comparison: Comparison) -> InteractiveComparison:
        """The same comparison with frames and charts."""
        return cls(**{entry.name: getattr(comparison, entry.name) for entry in fields(Comparison)})

    @property
    def table(self) -> pl.DataFrame:
        """One row for each cell: means, intervals, differences from the baseline with p-values, times and sizes."""
        return frame_of_csv(to_csv(self))

    @property
    def pairs_table(self) -> pl.DataFrame:
        """One row for each pair of cells and metric: the difference, its intervals, p-values and effect size."""
        return frame_of_csv(pairs_to_csv(self))

    @property
    def segments_table(self) -> pl.DataFrame:
        """The first metric of each cell by segments of users and items."""
        return frame_of_csv(segments_to_csv(self))

    @cached_property
    def figures(self) -> dict[str, Any]:
        """The report's figures as altair charts, by name, such as "leaderboard"."""
        import altair as alt

        from recsys.reports.document import sections
        from recsys.reports.plots.theme import LIGHT, config

        style = config(LIGHT, background=LIGHT.surface)
        style["legend"] = {
            key: value for key, value in style["legend"].items() if key != "layout"
        }  # Vega's, not altair's
        drawn = [figure for section in sections(self, None, None) for figure in section.figures]
        return {figure.name: alt.Chart.from_dict({**figure.spec, "config": style}) for figure in drawn}

    def report(
        self,
        folder: str | Path,
        title: str = "Comparison of runs",
        study: StudyRecord | None = None,
        users: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write the report's page, which opens without a network, and its tables; returns the page.

        Args:
            folder: Of the report.
            title: Of the page.
            study: The record of the study that the cells are from; None for none.
            users: Keys of conf/user_examples/default.yaml for the section of single users, such as `{"n": 0}`.

        Raises:
            ConfigError: If a key of `users` is unknown or impossible.
            ComparisonError: If `users["pair"]` does not name two cells.
        """
        from recsys.reports.report import write_report

        own = compose([override(f"user_examples.{key}", value) for key, value in (users or {}).items()], "compare")
        check_user_examples(own.user_examples)
        examples = user_examples(own.user_examples, self)
        return write_report(self, Path(folder), title, None, REPORT_FILES, study, examples=examples)["html"]

    def __repr__(self) -> str:
        metric = self.metrics[0]
        lines = [
            f"Comparison of {counted(len(self.rows), 'cell')} by {metric_name(metric)}, {self.n_users:,} users, seeds "
        ]
        lines[0] += ", ".join(map(str, self.seeds))
        for row in self.rows[:MOST_LINES]:
            score = row.scores[metric]
            lines.append(f"  {row.label}: {number(score.mean)} {interval(*ends_of(score))}".rstrip())
        if len(self.rows) > MOST_LINES:
            lines.append(f"  and {len(self.rows) - MOST_LINES} more in .table")
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from recsys.reports.plots.leaderboard import leaderboard

        figure = leaderboard(self)
        body = grid_html(short_grid(self)) + picture_html(figure.render("svg"), figure.alternative)
        return card(headline(self), body + list_html("Warnings", self.warnings), short_note(self))


def compare_runs(
    runs: Iterable[Run | str | Path], baseline: Run | str | None, metrics: Sequence[str], test: dict[str, Any]
) -> InteractiveComparison:
    """Compare runs of one store; see `recsys.compare`."""
    if isinstance(runs, Run | str):
        raise ConfigError("recsys.compare takes a list of runs: recsys.compare([run, other]); found one run.")
    opened = [run if isinstance(run, Run) else open_run(run) for run in runs]
    if not opened:
        raise ConfigError("recsys.compare needs at least one run.")
    stores = {run.folder.parent.absolute() for run in opened}
    if len(stores) > 1:
        named = ", ".join(map(str, sorted(stores)))
        raise ConfigError(f"recsys.compare takes the runs of one store; these are in {named}.")
    store = Store(stores.pop())
    if isinstance(baseline, Run):
        baseline = baseline.record.run_id
    records: list[Record] = [run.record for run in opened]
    try:
        found = compare(records, store, baseline, metrics, inference=Inference(**test))
    except ComparisonError as error:
        shown = re.sub(r"as in select=\[[^\]]*\]", "as in recsys.compare([run, other])", str(error))
        raise ComparisonError(shown) from error
    return InteractiveComparison.of(found)


def frame_of_csv(text: str) -> pl.DataFrame:
    """The table of a csv text; columns without values are of floats."""
    frame = pl.read_csv(io.StringIO(text), infer_schema_length=None)
    empty = [name for name in frame.columns if frame[name].null_count() == frame.height]
    return frame.with_columns(pl.col(empty).cast(pl.Float64))
