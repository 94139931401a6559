"""The sections of a report before rendering, with sentences, figures and tables; the same for every format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from recsys.reports import audits, grids, tables
from recsys.reports.comparison import Comparison
from recsys.reports.findings import findings
from recsys.reports.formatting import all_of, counted, metric_name, safe_markdown
from recsys.reports.grids import Entry, Grid
from recsys.reports.matrix import has_matrix, matrix_note, significance_grid
from recsys.reports.plots import (
    cost,
    curves,
    forest,
    leaderboard,
    response,
    search,
    segments,
    significance,
    tradeoffs,
    trials,
)
from recsys.reports.plots.base import Figure
from recsys.reports.search_summary import SUMMARY_NOTE, search_notes, summary_grid
from recsys.reports.sections import Section, Table
from recsys.reports.statistics import PairedDifference
from recsys.support.text_tables import readable
from recsys.tracking.record import Record
from recsys.tracking.run_id import flatten
from recsys.tracking.study_record import BASE, CHANGE, StudyRecord

_COST_NOTE = (
    "Seconds of training and test are means over seeds. Encoding is the maximum over a cell's runs, since later runs "
    "find the texts in the cache."
)
OF_METRIC = (  # names of the sections that depend on the first metric
    "results",
    "responses",
    "findings",
    "significance",
    "ablation",
    "segments",
    "cost",
    "learning",
    "tradeoffs",
)


def sections(comparison: Comparison, command: str | None = None, study: StudyRecord | None = None) -> list[Section]:
    """The non-empty sections, in order; their figures have distinct names."""
    *of_metric, last = _of_metric(comparison, study)
    made = [
        Section("warnings", "Warnings", [*comparison.warnings, *([] if study is None else study.warnings)]),
        *of_metric,
        _search(comparison, study),
        last,
        _audit(comparison),
        Section("failed", "Failed runs", list(_failures(comparison, study))),
        _protocol(comparison, study),
        _data(comparison.records[0]),
        _repeat(comparison, command),
    ]
    return _with_distinct_names([section for section in made if not section.is_empty])


def metric_sections(comparison: Comparison, study: StudyRecord | None = None) -> list[Section]:
    """The non-empty sections that depend on the first metric."""
    return _with_distinct_names([section for section in _of_metric(comparison, study) if not section.is_empty])


def _of_metric(comparison: Comparison, study: StudyRecord | None) -> list[Section]:
    return [
        _results(comparison),
        Section("responses", "Response to numeric settings", figures=response.response_figures(comparison)),
        Section("findings", "Findings", findings(comparison)),
        _significance(comparison, study),
        _ablation(comparison, study),
        _segments(comparison),
        _cost(comparison),
        Section("learning", "Learning curves", figures=_some(curves.curves(comparison))),
        Section("tradeoffs", "Trade-offs", figures=_metric_figures(comparison)),
    ]


def _metric_figures(comparison: Comparison) -> list[Figure]:
    return [*_some(tradeoffs.metric_pairs(comparison)), *_some(tradeoffs.tradeoffs(comparison))]


def _results(comparison: Comparison) -> Section:
    table = Table("Quality of each cell", tables.quality_grid(comparison), tables.full_note(comparison))
    return Section("results", "Results", figures=[leaderboard.leaderboard(comparison)], tables=[table])


def _significance(comparison: Comparison, study: StudyRecord | None) -> Section:
    figures = []
    metric, reference = comparison.metrics[0], comparison.baseline
    differences = {row.label: own for row in comparison.rows if (own := row.scores[metric].difference) is not None}
    if reference is not None and differences and reference != _base(comparison, study):
        family = f"{counted(len(differences), 'comparison')} with the baseline"
        title = f"Differences from the baseline: {metric_name(metric)}"
        figures.append(_forest(comparison, "differences", title, reference, differences, family))
    if len(comparison.rows) > 1:
        figures += _some(significance.significance_matrix(comparison))
    made = (
        [Table("All pairs", significance_grid(comparison), matrix_note(comparison))] if has_matrix(comparison) else []
    )
    return Section("significance", "Significance", figures=figures, tables=made)


def _ablation(comparison: Comparison, study: StudyRecord | None) -> Section:
    empty = Section("ablation", "Ablation")
    base, metric = _base(comparison, study), comparison.metrics[0]
    labels = [row.label for row in comparison.rows]
    if study is None or base is None or not comparison.pairs(metric):
        return empty
    changes = [cell.label for cell in study.cells if cell.kind == CHANGE and cell.label in labels]
    if not changes:
        return empty
    if comparison.baseline == base:
        found = {label: comparison.row(label).scores[metric].difference for label in changes}
        family = f"{counted(comparison.n_comparisons(metric), 'comparison')} with {base}"
    else:
        found = {label: comparison.pair(metric, label, base).difference for label in changes}
        family = all_of(len(comparison.pairs(metric)), "pair")
    known = {label: own for label, own in found.items() if own is not None}
    sign = -1 if comparison.lower_is_better(metric) else 1
    ordered = dict(sorted(known.items(), key=lambda item: sign * item[1].mean))
    title = f"Ablation of {base}: {metric_name(metric)}"
    return replace(empty, figures=[_forest(comparison, "ablation", title, base, ordered, family)])


def _base(comparison: Comparison, study: StudyRecord | None) -> str | None:
    """The label of an ablation's base, if it is among the compared cells."""
    labels = {row.label for row in comparison.rows}
    cells = [] if study is None else study.cells
    return next((cell.label for cell in cells if cell.kind == BASE and cell.label in labels), None)


def _forest(
    comparison: Comparison,
    name: str,
    title: str,
    reference: str,
    differences: dict[str, PairedDifference],
    family: str,
) -> Figure:
    clear = {label for label, own in differences.items() if comparison.is_significant(own)}
    metric, lower = comparison.metrics[0], comparison.lower_is_better(comparison.metrics[0])
    plan = forest.Forest(name, title, reference, metric, differences, clear, family, lower)
    return forest.forest(plan, comparison.level)


def _segments(comparison: Comparison) -> Section:
    title = f"{metric_name(comparison.metrics[0])} by segment"
    if not comparison.segments.values:
        return Section("segments", title)
    table = Table(title, tables.segment_grid(comparison), tables.segment_note(comparison))
    return Section("segments", title, figures=_some(segments.segments(comparison)), tables=[table])


def _cost(comparison: Comparison) -> Section:
    table = Table("Cost of each cell", tables.cost_grid(comparison), _COST_NOTE)
    return Section("cost", "Cost", figures=cost.cost_figures(comparison), tables=[table])


def _search(comparison: Comparison, study: StudyRecord | None) -> Section:
    if study is None:
        return Section("search", "Search")
    labels = [row.label for row in comparison.rows]
    own = replace(
        study, cells=[cell for cell in study.cells if cell.label in labels]
    )  # a study may have more protocols
    figures, notes = search.search_figures(own, labels)
    grid = trials.trial_grid(own)
    listed = [Table("Best trials", summary_grid(own), SUMMARY_NOTE), Table("All trials", grid)] if grid.rows else []
    budget = ", ".join(f"{key} {value}" for key, value in flatten(study.search)) if listed else ""
    sentences = [*([f"Each cell's search: {budget}."] if budget else []), *search_notes(own), *notes]
    return Section("search", "Search", sentences, figures, listed)


def _audit(comparison: Comparison) -> Section:
    own = [row.cell for row in comparison.rows], comparison.audits
    listed = [Table("Findings of audits", grid, audits.NOTE)] if (grid := audits.audit_grid(*own)).rows else []
    return Section("audit", "Audit", audits.audit_sentences(*own), tables=listed, code=audits.audit_commands(*own))


def _failures(comparison: Comparison, study: StudyRecord | None) -> Iterator[str]:
    for run in comparison.failures:
        yield f"`{run.run_id}` {run.name}, seed {run.seed}: {_last_line(run.error)}"
    if comparison.left_out:
        yield f"Not in the tables, since some of their seeds failed: {', '.join(comparison.left_out)}."
    if study is None:
        return
    absent = [cell.label for cell in study.cells if not cell.run_ids]
    if absent:
        yield f"Not in the tables, since their search or all of their runs failed: {', '.join(absent)}."
    if study.baseline in (*comparison.left_out, *absent):
        yield f"So there are no differences from the baseline {study.baseline}."


def _last_line(error: str | None) -> str:
    return (error or "").strip().rsplit("\n", 1)[-1] or "no traceback"


def _protocol(comparison: Comparison, study: StudyRecord | None) -> Section:
    record = comparison.records[0]
    made = [Table("Settings that all runs share", grids.key_value_grid(list(flatten(comparison.protocol))))]
    environment = _environment(comparison)
    if environment:
        made.append(Table("Versions, commit and machine", grids.key_value_grid(environment)))
    sentences = [f"Fingerprint `{record.protocol_fingerprint}`; runs with another fingerprint are not comparable."]
    if study is not None:
        sentences.append(f"Study {study.name}: {len(study.cells)} cells, seeds {', '.join(map(str, study.seeds))}.")
    return Section("protocol", "Protocol", sentences, tables=made)


def _environment(comparison: Comparison) -> list[tuple[str, Any]]:
    """Versions, commit and machine, with all values if runs differ."""
    own: dict[str, list[Any]] = {}
    for record in comparison.records:
        parts = {"versions": record.versions, "git": record.git or {}, "machine": record.machine}
        for key, value in flatten({name: part for name, part in parts.items() if part}):
            if value not in own.setdefault(key, []):
                own[key].append(value)
    return [(key, values[0] if len(values) == 1 else "; ".join(map(str, values))) for key, values in own.items()]


def _data(record: Record) -> Section:
    statistics = dict(record.data_statistics)
    parts = statistics.pop("parts", None)
    facts = [(key.replace("_", " "), readable(key.rpartition(".")[2], value)) for key, value in flatten(statistics)]
    made = [Table("The data", grids.key_value_grid(facts))] if facts else []
    if isinstance(parts, dict) and parts:
        columns = list(dict.fromkeys(key for part in parts.values() for key in part))
        rows = [[Entry(name), *(_statistic(part.get(key)) for key in columns)] for name, part in parts.items()]
        note = (
            "cold_users is the share of a part's users without any earlier interaction, cold_items the share of its "
            "interactions whose item has no train interaction"
        )
        if "cold_after_refit" in columns:  # which older records lack
            note += ", cold_after_refit of those whose item has none in train and validation"
        note += "."
        made.append(Table("Its parts", Grid(["part", *columns], rows), note))
    return Section("data", "Data", tables=made)


def _statistic(value: Any) -> Entry:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if isinstance(value, float) else str(value)
    return Entry(text, value=float(value) if is_number else None)


def _repeat(comparison: Comparison, command: str | None) -> Section:
    lines = [] if command is None else ["# this report", command]
    for row in comparison.rows:
        lines += [f"# {safe_markdown(row.label)}: {' '.join(row.cell.run_ids)}", row.cell.command]
    sentence = "A finished run is reused; add `rerun=true` to make it again."
    return Section("repeat", "Repeat", [sentence], code="\n".join(lines))


def _some(figure: Figure | None) -> list[Figure]:
    return [] if figure is None else [figure]


def _with_distinct_names(made: Sequence[Section]) -> list[Section]:
    """The sections, with figures renamed so that their file names differ."""
    taken: set[str] = set()
    renamed = []
    for section in made:
        figures = []
        for figure in section.figures:
            name, n = figure.name, 2
            while name.lower() in taken:
                name, n = f"{figure.name}_{n}", n + 1
            taken.add(name.lower())
            figures.append(replace(figure, name=name))
        renamed.append(replace(section, figures=figures))
    return renamed
