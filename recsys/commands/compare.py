"""Compare finished runs: tables, significance tests and a report.

Only runs with the same data, split and evaluation protocol are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from recsys.commands.next_steps import print_header, print_next_steps
from recsys.reports.across import Across, compare_across
from recsys.reports.comparison import Comparison, compare
from recsys.reports.draws import compare_draws
from recsys.reports.findings import summary_of
from recsys.reports.inference import Inference
from recsys.reports.over_splits import OVER, OverSplits
from recsys.reports.over_splits_report import write_over_splits
from recsys.reports.printing import print_comparison, print_over_splits, print_paths, print_ranks
from recsys.reports.ranks import write_ranks
from recsys.reports.report import write_report
from recsys.reports.selection import select_runs
from recsys.reports.time_windows import compare_windows
from recsys.reports.trackers import check_trackers, track
from recsys.reports.unequal import varied_keys
from recsys.schema import ConfigError
from recsys.serving.report_users import check_user_examples, user_examples
from recsys.support.ids import ids_of_key
from recsys.support.screen import Screen
from recsys.tracking.names import as_name
from recsys.tracking.record import Record
from recsys.tracking.store import Store
from recsys.tracking.study_record import StudyRecord
from recsys.tracking.typed_commands import typed_command

EXAMPLES = (
    "recsys compare baseline=tfidf+dot",
    "recsys compare tag=demo formats=[html]",
)
ACROSS_DATA, ACROSS_WINDOWS, ACROSS_DRAWS = ACROSS = "data", "windows", "draws"
METRICS = ("ndcg@10", "recall@10", "coverage@10")  # shown if neither the command nor a study names metrics


def run(cfg: DictConfig, console: Console | None = None) -> Comparison | Across | OverSplits:
    """Compare the chosen runs; with `across`, on each data set, window of time or draw, and then over all of them.

    Raises:
        ConfigError: If the store has no run, a filter fits none, or a key has a value that it cannot have.
        ComparisonError: If the runs have different protocols, seeds or code.
    """
    check_trackers(cfg)
    check_user_examples(cfg.user_examples)
    if cfg.across not in (None, *ACROSS):
        raise ConfigError(f"across={cfg.across}; expected {', '.join(ACROSS)}, or null for runs of one protocol.")
    if cfg.across is None:
        return compare_runs(cfg, console)
    return compare_data_sets(cfg, console) if cfg.across == ACROSS_DATA else compare_over_splits(cfg, console)


def compare_runs(cfg: DictConfig, console: Console | None = None) -> Comparison:
    """Compare the chosen runs, print the tables, and write the report.

    Raises:
        ConfigError: If the store has no run, a filter fits none, or a key has a value that it cannot have.
        ComparisonError: If the runs have different protocols, seeds or code.
    """
    inference = inference_of(cfg)
    study = _study(cfg)
    store, chosen = _chosen(cfg, study)
    labels = None if study is None else study.labels
    baseline, metrics = _baseline(cfg, study), _metrics(cfg, study)
    comparison = compare(chosen, store, baseline, metrics, cfg.seed, inference, labels, varied_keys(study))
    console = console or Screen()
    print_header(console, f"{summary_of(comparison)}; runs of {cfg.runs_dir}")
    examples, folder = user_examples(cfg.user_examples, comparison), Path(cfg.output)
    paths = write_report(comparison, folder, _title(cfg), _command(cfg), cfg.formats, study, examples=examples)
    print_comparison(comparison, console)
    print_paths(paths, console)
    best = f"run={comparison.rows[0].cell.run_ids[0]}"
    recommend = ["recommend", best, "users=all", "output=recommendations.parquet"]
    print_next_steps(console, cfg, ["runs", "action=show", best], recommend)
    track(cfg, comparison, paths, _title(cfg))
    return comparison


def compare_data_sets(cfg: DictConfig, console: Console | None = None) -> Across:
    """Compare the chosen runs on each data set, print and write each comparison, then the ranks over all.

    Raises:
        ConfigError: As in `compare_runs`.
        ComparisonError: If the runs of a data set cannot be compared, or there are too few data sets or cells.
    """
    inference = inference_of(cfg)
    study = _study(cfg)
    store, chosen = _chosen(cfg, study)
    across = compare_across(chosen, store, _baseline(cfg, study), _metrics(cfg, study), cfg.seed, inference)
    console, folder = console or Screen(), Path(cfg.output)
    written = _write_each(cfg, across.comparisons, console)
    console.rule(f"all {len(across.comparisons)} data sets")
    print_ranks(across, console)
    print_paths({"md": write_ranks(across, folder, _title(cfg), _command(cfg), cfg.formats)}, console)
    _track_each(cfg, across.comparisons, written)
    return across


def compare_over_splits(cfg: DictConfig, console: Console | None = None) -> OverSplits:
    """Compare the chosen runs in each window of time or draw, print and write each comparison, then that over all.

    Raises:
        ConfigError: As in `compare_runs`.
        ComparisonError: If the runs of a split cannot be compared, or the splits cannot be pooled.
    """
    inference = inference_of(cfg)
    study = _study(cfg)
    store, chosen = _chosen(cfg, study)
    labels = None if study is None else study.labels
    baseline, metrics = _baseline(cfg, study), _metrics(cfg, study)
    compare_each = compare_draws if cfg.across == ACROSS_DRAWS else compare_windows
    found = compare_each(chosen, store, baseline, metrics, cfg.seed, inference, labels, varied_keys(study))
    found = replace(found, notes=[*found.notes, *([] if study is None else study.warnings)])
    console, folder = console or Screen(), Path(cfg.output)
    written = _write_each(cfg, found.comparisons, console)
    console.rule(f"all {len(found.comparisons)} {found.unit}s")
    print_over_splits(found, console)
    title = f"{_title(cfg)} {OVER[found.unit]}"
    print_paths(write_over_splits(found, folder, title, _command(cfg), cfg.formats), console)
    _track_each(cfg, found.comparisons, written)
    return found


def _write_each(cfg: DictConfig, comparisons: Mapping[str, Comparison], console: Console) -> dict[str, dict[str, Path]]:
    """Print and write comparisons of several protocols, each in its own folder; returns the files of each."""
    written = {}
    for name, comparison in comparisons.items():
        title, folder = f"{_title(cfg)}: {name}", Path(cfg.output) / as_name(name)
        console.rule(Text(name))
        print_comparison(comparison, console)
        examples = user_examples(cfg.user_examples, comparison)
        written[name] = write_report(comparison, folder, title, _command(cfg), cfg.formats, examples=examples)
        print_paths(written[name], console)
    return written


def _track_each(
    cfg: DictConfig, comparisons: Mapping[str, Comparison], written: Mapping[str, Mapping[str, Path]]
) -> None:
    for name, comparison in comparisons.items():
        track(cfg, comparison, written[name], f"{_title(cfg)}: {name}")


def inference_of(cfg: DictConfig) -> Inference:
    """The configured test of differences.

    Raises:
        ConfigError: If a key has a value that it cannot have.
    """
    return Inference(**{entry.name: cfg[entry.name] for entry in fields(Inference)})


def _study(cfg: DictConfig) -> StudyRecord | None:
    """The study of the report."""
    return None if cfg.study.name is None else StudyRecord.read(Path(cfg.runs_dir), cfg.study.name)


def _baseline(cfg: DictConfig, study: StudyRecord | None) -> str | None:
    return study.baseline if study is not None and cfg.baseline is None else cfg.baseline


def _metrics(cfg: DictConfig, study: StudyRecord | None) -> list[str]:
    chosen = cfg.report_metrics if cfg.report_metrics is not None else METRICS if study is None else study.metrics
    return list(chosen)


def _title(cfg: DictConfig) -> str:
    if cfg.title is not None:
        return str(cfg.title)
    return "Comparison of runs" if cfg.study.name is None else f"Study {cfg.study.name}"


def _of_study(record: Record, study: StudyRecord) -> bool:
    """Whether a run is of a study's cells, failed runs included; trials of its tuning are not."""
    return record.run_id in study.labels or (not record.is_finished and study.name in record.tags)


def _chosen(cfg: DictConfig, study: StudyRecord | None) -> tuple[Store, list[Record]]:
    """The store, and the selected runs."""
    store = Store(Path(cfg.runs_dir))
    records = store.records()
    if not records:
        raise ConfigError(f"runs_dir={cfg.runs_dir} holds no run; make some with recsys train or recsys study.")
    if study is not None:
        records = [record for record in records if _of_study(record, study)]
    return store, select_runs(records, ids_of_key(cfg, "select"), cfg.tag)


def _command(cfg: DictConfig) -> str:
    return typed_command("compare", cfg.get("overrides") or [])
