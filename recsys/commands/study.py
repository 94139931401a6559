"""Make all runs of a study, tune its models, and write a report.

A study that was stopped continues with the runs that are missing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from recsys.commands.next_steps import print_next_steps
from recsys.reports.comparison import Comparison
from recsys.reports.formatting import counted, seconds
from recsys.reports.over_splits import OVER
from recsys.reports.over_splits_report import remove_over_splits, write_over_splits
from recsys.reports.printing import print_comparison, print_over_splits, print_paths
from recsys.reports.report import write_report
from recsys.reports.trackers import check_trackers, track
from recsys.schema import TEST, ComparisonError
from recsys.serving.report_users import check_user_examples, user_examples
from recsys.studies.comparisons import comparisons, of_comparison, over_splits
from recsys.studies.dry_run import print_plan
from recsys.studies.runner import Result, run_study
from recsys.studies.view import StudyView
from recsys.studies.windows import is_draw
from recsys.support.screen import Screen
from recsys.tracking.typed_commands import typed_command

EXAMPLES = (
    "recsys study study=demo",
    "recsys study study=sweep launcher=joblib launcher.n_workers=2",
)
FAILED, FINISHED = 1, 0


def run(cfg: DictConfig) -> int:
    """Run a study, print its comparison and write the report; returns 1 if a run failed, else 0.

    Raises:
        ConfigError: If the study, or one of its runs, is impossible; before the first run.
    """
    check_trackers(cfg)
    check_user_examples(cfg.user_examples)
    console = Screen()
    if cfg.dry_run:
        print_plan(cfg, console)
        return FINISHED
    view = StudyView(cfg, console if console.is_terminal else Screen(stderr=True))
    command = typed_command("study", cfg.overrides)
    with view.shown():
        result = run_study(cfg, command, view)
    is_whole = _report(cfg, result, console)
    return FAILED if result.failures or not is_whole else FINISHED


def _report(cfg: DictConfig, result: Result, console: Console) -> bool:
    """Print and write all comparisons; False if those of several splits cannot be pooled."""
    compared = comparisons(cfg, result)
    written = {name: _write(cfg, result, comparison, name, console) for name, comparison in compared.items()}
    windows = set(result.record.windows.values())
    is_whole = not windows or _write_over_splits(cfg, result, compared, console)
    trials = f", {counted(result.n_trials, 'trial')}" if result.n_trials else ""
    summary = f"{counted(result.n_made, 'run')} made and {result.n_found} found{trials} in {seconds(result.seconds)}."
    console.print(summary, highlight=False)
    for outcome in result.failures:
        seed = "tuning" if outcome.seed is None else f"seed {outcome.seed}"
        console.print(f"failed: {outcome.label}, {seed}: {outcome.error}", style="red", markup=False, highlight=False)
    if result.failures:
        failed = f"{counted(len(result.failures), 'run')} failed"
        told = Text.assemble((failed, "red"), "; retry_failed=true makes them again.")
        console.print(told)
    name, tag = f"study.name={cfg.study.name}", f"tag={cfg.study.name}"
    for comparison in list(compared.values())[:1]:
        across = ["across=draws" if any(map(is_draw, windows)) else "across=windows"] if windows else []
        compare = ["compare", *across, name]
        print_next_steps(console, cfg, compare, ["runs", tag, f"sort={_best_first(comparison)}"])
    for key, comparison in compared.items():
        track(cfg, comparison, written[key], _title(cfg, key))
    return is_whole


def _best_first(comparison: Comparison) -> str:
    """The value of `runs sort=` that gives the run with the best first metric first."""
    metric = comparison.metrics[0]
    key = metric if "/" in metric else f"{TEST}/{metric}"
    return key if comparison.lower_is_better(metric) else f"-{key}"


def _title(cfg: DictConfig, name: str) -> str:
    return f"Study {cfg.study.name}{f', {name}' if name else ''}"


def _write(cfg: DictConfig, result: Result, comparison: Comparison, name: str, console: Console) -> dict[str, Path]:
    title = _title(cfg, name)
    folder, command = Path(cfg.output) / name, result.record.command
    study = of_comparison(result.record, comparison)
    examples = user_examples(cfg.user_examples, comparison)
    paths = write_report(comparison, folder, title, command, cfg.formats, study=study, examples=examples)
    if name:
        console.rule(Text(title))
    print_comparison(comparison, console, study)
    print_paths(paths, console)
    return paths


def _write_over_splits(cfg: DictConfig, result: Result, compared: dict[str, Comparison], console: Console) -> bool:
    """Print and write the comparison over all splits; False, with the reason printed, if there can be none."""
    try:
        found = over_splits(cfg, result, compared)
        found = replace(found, notes=[*found.notes, *result.record.warnings])
    except ComparisonError as error:
        remove_over_splits(Path(cfg.output))
        console.print(f"no comparison over all splits: {error}", style="red", markup=False, highlight=False)
        return False
    title = f"Study {cfg.study.name} {OVER[found.unit]}"
    paths = write_over_splits(found, Path(cfg.output), title, result.record.command, cfg.formats)
    console.rule(Text(title))
    print_over_splits(found, console)
    print_paths(paths, console)
    return True
