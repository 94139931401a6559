"""A study's results as a block in a text that is otherwise written by hand, such as the README."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from recsys.reports import grids
from recsys.reports.comparison import Comparison, compare
from recsys.reports.formatting import counted, metric_name, seconds
from recsys.reports.short_table import short_grid, short_note
from recsys.reports.unequal import varied_keys
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole
from recsys.support.screen import Screen
from recsys.support.whole_files import write_atomically
from recsys.tracking.record import Record, canonical_json
from recsys.tracking.store import Store
from recsys.tracking.study_record import StudyRecord
from recsys.tracking.typed_commands import typed_command

WIDTH = 127  # largest number of characters in a line of the caption


def update_readme(cfg: DictConfig, console: Console | None = None) -> bool:
    """Write the table of a study into a file.

    Returns:
        Whether the file changed.

    Raises:
        ConfigError: If the file cannot be read or lacks the markers of the study, or the store lacks a run.
        RecsysError: If the study has no record.
    """
    if cfg.n_rows is not None:
        check_whole("n_rows", cfg.n_rows, 1)
    file, store = Path(cfg.file), Store(Path(cfg.runs_dir))
    study = StudyRecord.read(store.root, cfg.block)
    metrics = list(cfg.report_metrics or study.metrics)
    runs, varied = study_runs(study, store), varied_keys(study)
    comparison = compare(runs, store, study.baseline, metrics, labels=study.labels, varied=varied)
    report = Path(cfg.report)
    link = Path(os.path.relpath(report, file.parent)).as_posix() if report.is_file() else None
    command = typed_command("update_readme", cfg.get("overrides") or [])
    before = _read(file)
    after = with_block(
        before, cfg.block, f"{results(comparison, cfg.n_rows)}\n{caption(comparison, link, study, cfg.n_rows)}", command
    )
    if after != before:
        write_atomically(file, after.encode(), "file")
    told = "was updated with the results of" if after != before else "already has the results of"
    (console or Screen()).print(f"{file} {told} {cfg.block}.", highlight=False, markup=False)
    return after != before


def study_runs(study: StudyRecord, store: Store) -> list[Record]:
    """The records of a study's finished runs.

    Raises:
        ConfigError: If one of them is no longer in the store.
    """
    found = {run_id: store.find(run_id) for run_id in study.labels}
    missing = [run_id for run_id, record in found.items() if record is None]
    if missing:
        raise ConfigError(f"{store.root} lacks {', '.join(missing)} of study {study.name}; make them: {study.command}")
    return [record for record in found.values() if record is not None]


def with_block(text: str, name: str, content: str, command: str) -> str:
    """A text with new content between the markers of a name; the first marker has the command that wrote it.

    Raises:
        ConfigError: If there is not exactly one pair of markers of this name.

    Example:
        >>> with_block("a\\n<!-- x table: begin -->\\nold\\n<!-- x table: end -->\\nb", "x", "new\\n", "make x")
        'a\\n<!-- x table: begin (make x) -->\\nnew\\n<!-- x table: end -->\\nb'
    """
    own = re.escape(name)
    pattern = re.compile(rf"<!-- {own} table: begin[^\n]*-->\n.*?<!-- {own} table: end -->", re.DOTALL)
    found = pattern.findall(text)
    if len(found) != 1:
        raise ConfigError(
            f"block={name}: found {len(found)} pairs of the lines `<!-- {name} table: begin -->` and, further down, "
            f"`<!-- {name} table: end -->` in the text; expected one pair."
        )
    block = f"<!-- {name} table: begin ({command}) -->\n{content.rstrip()}\n<!-- {name} table: end -->"
    return pattern.sub(lambda _: block, text)


def results(comparison: Comparison, n_rows: int | None = None) -> str:
    """The short table of results in markdown."""
    return grids.to_markdown(short_grid(comparison, n_rows))


def caption(
    comparison: Comparison, link: str | None = None, study: StudyRecord | None = None, n_rows: int | None = None
) -> str:
    """The caption of the table: meaning of its numbers, and time of the runs and of the study's trials."""
    n_cells = len(comparison.rows)
    shown = f" The best {n_rows} of {n_cells} cells, and the baseline." if n_rows and n_rows < n_cells else ""
    metric, candidates = metric_name(comparison.metrics[0]), comparison.protocol.get("candidates")
    over = f" over {candidates}" if candidates else ""
    note = short_note(comparison).replace(" * ", r" \* ")
    whole = f" ([whole report]({link}))" if link else ""
    text = f"Test {metric}{over}.{shown} {note} {_effort(comparison.records, study)}{whole}."
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)) + "\n"


def _effort(records: Sequence[Record], study: StudyRecord | None) -> str:
    processors = {record.machine.get("n_cpus") for record in records}
    on = f" on {processors.pop()} processors" if len(processors) == 1 and None not in processors else ""
    trials = [trial for cell in (study.cells if study else []) for trial in cell.trials]
    searched = (
        f", after {counted(len(trials), 'trial')} in {seconds(sum(trial.seconds or 0 for trial in trials))}"
        if trials
        else ""
    )
    return f"{counted(len(records), 'run')}, {seconds(duration(records))} of computing{on}{searched}"


def duration(records: Sequence[Record]) -> float:
    """Seconds of all runs; encoding counts once for each encoder, since runs that find it cached record it too."""
    encoding: dict[str, float] = {}
    for record in records:
        key = canonical_json(record.encoding.get("identity"))
        encoding[key] = max(encoding.get(key, 0.0), record.times.get("encode", 0.0))
    others = sum(
        value for record in records for stage, value in record.times.items() if stage not in ("encode", "total")
    )
    return others + sum(encoding.values())


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"file={file} cannot be read: {error.strerror or error}.") from error
