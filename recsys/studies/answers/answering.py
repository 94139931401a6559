"""Does a language model improve a recommender on a data set? Check, plan, run, compare and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console, RenderableType

from recsys.data.description import describe, render
from recsys.data.sources.faults import faulty_rows_warnings
from recsys.data.splits.split import Split
from recsys.experiment.inputs import fitted_encoder, load_split, text_features
from recsys.reports.comparison import Comparison
from recsys.reports.formatting import seconds
from recsys.reports.report import write_report
from recsys.reports.sections import Section
from recsys.schema import ConfigError
from recsys.studies.answers.answer_request import COLD_SPLIT, Request, request
from recsys.studies.answers.candidates import Group, groups
from recsys.studies.answers.costs_of_text import TextCost, text_cost
from recsys.studies.answers.data_check import problems_of, read_data
from recsys.studies.answers.data_facts import Facts, facts_of
from recsys.studies.answers.judged import Judged, judge
from recsys.studies.answers.opening import opening
from recsys.studies.answers.scopes import Scope, scopes
from recsys.studies.answers.sentences import detail, smallest_difference
from recsys.studies.answers.split_choice import SplitChoice, choose_split, wants_cold_items
from recsys.studies.answers.timed_study import TimedPlan, TimedStudy, check_timed, make_timed
from recsys.studies.storage import key_of
from recsys.support.text_tables import TextTable
from recsys.tracking.names import as_name
from recsys.tracking.typed_commands import typed_command

COLD_SHARE = 1 / 3  # share of the time for the study of cold items
Show = Callable[[RenderableType], None]
Examples = Callable[[Comparison, Sequence[str]], Sequence[Section]]


@dataclass(frozen=True)
class Answered:
    """The answer.

    Attributes:
        sentence: Its first sentence.
        scopes: The planned comparisons.
        cost: Costs of the cell with a language model.
        main: The study of all items.
        cold: The study of cold items, if there is one.
        report: The report's page, or its folder if no format was written.
    """

    sentence: str
    scopes: list[Scope]
    cost: TextCost
    main: Judged
    cold: Judged | None
    report: Path

    @property
    def details(self) -> list[str]:
        """A sentence for each comparison, and the smallest difference that the data could have shown."""
        return [*map(detail, self.scopes), smallest_difference(self.scopes[0])]


def make_answer(cfg: DictConfig, show: Show, console: Console, examples: Examples | None = None) -> Answered | None:
    """Answer the question; None for a dry run.

    Args:
        cfg: Configuration of the command.
        show: Prints a table or a sentence.
        console: Where the studies' progress is shown.
        examples: Makes report sections of single users, from a comparison and the labels of two of its cells.

    Raises:
        ConfigError: If a key is invalid, the items have no text, or a study cannot be made.
        DataError: If the data is malformed.
        RecsysError: If no cell with a language model, or none without one, was finished.
    """
    asked = request(cfg)
    dataset, texts = read_data(asked, show)
    asked = replace(asked, data=[*asked.data, *texts])
    found = facts_of(dataset)
    split = choose_split(found, lambda name: problems_of(asked, name), asked.split)
    prepared = load_split(asked.run_cfg(split.name))
    found = facts_of(prepared.dataset, prepared)
    for table in render(describe(prepared.dataset, prepared)):
        show(table)
    faulty = faulty_rows_warnings(dataset.dropped, dataset.interactions.height)
    for warning in faulty:
        show(f"warning: {warning}")
    show(f"Split: {split.name}. {split.reason}")
    with_cold, reason = _cold(asked, found, split)
    show(reason)
    plans = _plans(asked, found, split, prepared, with_cold)
    for plan in plans:  # before anything runs, since the last study begins after most of the time
        check_timed(plan)
    _show_plans(plans, asked, show)
    if cfg.dry_run:
        return None
    start = time.perf_counter()
    dim, n_weights = _encode(asked, split, show)
    spent = [time.perf_counter() - start, 0.0]
    plans = _plans(asked, found, split, prepared, with_cold, dim)
    judged = [judge(_made(plan, show, console, own)) for plan, own in zip(plans, spent, strict=False)]
    notes = [f"Split: {split.name}. {split.reason}", reason, *faulty, *prepared.warnings]
    return _answered(asked, judged[0], judged[1] if with_cold else None, n_weights, notes, examples)


def _cold(asked: Request, found: Facts, split: SplitChoice) -> tuple[bool, str]:
    if split.name == COLD_SPLIT:
        return False, "No separate study of cold items: the split tests cold items only."
    left_out = [one.split("=")[0].lstrip("+~") for one in asked.left_out(COLD_SPLIT)]
    note = f" It is without {', '.join(left_out)}, which split={COLD_SPLIT} lacks." if left_out else ""
    if asked.cfg.cold_items is None:
        wanted, reason = wants_cold_items(found, asked.minutes, lambda name: problems_of(asked, name))
        return wanted, f"{reason}{note if wanted else ''}"
    if not asked.cfg.cold_items:
        return False, "No study of cold items: cold_items=false."
    try:
        load_split(asked.run_cfg(COLD_SPLIT))
    except ConfigError as error:
        raise ConfigError(f"cold_items=true: {error} Or use cold_items=false.") from error
    return True, f"A study of cold items takes a third of the time: cold_items=true.{note}"


def _plans(
    asked: Request, found: Facts, split: SplitChoice, prepared: Split, with_cold: bool, dim: int | None = None
) -> list[TimedPlan]:
    """The studies of all items and, with `with_cold`, of cold items; `dim` is the width of the text vectors."""
    key = key_of(prepared.dataset.fingerprint, *asked.data, *asked.encoder, *asked.common)
    name = as_name(f"answer_{prepared.dataset.name}")
    shares = {split.name: 1 - COLD_SHARE, COLD_SPLIT: COLD_SHARE} if with_cold else {split.name: 1.0}
    return [
        TimedPlan(
            name=f"{name}_{own}_{key[:6]}",
            common=asked.overrides(own),
            further=asked.further,
            metrics=list(asked.cfg.metrics),
            groups=groups(found, asked.encoder, asked.name, own == COLD_SPLIT, dim),
            minutes=asked.minutes * share,
        )
        for own, share in shares.items()
    ]


def _show_plans(plans: Sequence[TimedPlan], asked: Request, show: Show) -> None:
    for plan in plans:
        rows = [(group.name, _models(group)) for group in plan.groups]
        show(TextTable(["cells", "models"], rows, f"study {plan.name}, {seconds(plan.minutes * 60)}", words=["models"]))
    show(
        f"This takes about {asked.minutes:g} min. First, one trial of each cell measures its time. Then all cells get "
        "as many trials and seeds as fit; if too few fit, the last cells of the table are left out. The first are made "
        "however long they take."
    )


def _models(group: Group) -> str:
    return ", ".join(f"{cell.label} ({cell.kind})" for cell in group.cells)


def _encode(asked: Request, split: SplitChoice, show: Show) -> tuple[int, int | None]:
    """Encode the catalogue, so that no trial's time contains it.

    Returns:
        The width of the text vectors, and the number of weights of the language model (None if unknown).
    """
    cfg = asked.run_cfg(split.name, *asked.encoder)
    prepared = load_split(cfg)
    show(f"Texts of {prepared.dataset.n_items:,} items are encoded by {asked.name}.")
    features = text_features(cfg, prepared)
    show(f"Encoding took {seconds(features.report.get('seconds'))}.")
    model: Any = getattr(fitted_encoder(cfg, prepared), "model", None)
    n_weights = None if model is None else sum(own.numel() for own in model.parameters())
    return features.vectors.shape[1], n_weights


def _made(plan: TimedPlan, show: Show, console: Console, spent: float) -> TimedStudy:
    show(f"Study {plan.name}:")
    return make_timed(plan, console, show, spent)


def _answered(
    asked: Request,
    main: Judged,
    cold: Judged | None,
    n_weights: int | None,
    notes: Sequence[str],
    examples: Examples | None,
) -> Answered:
    found = scopes(main.three, main.chosen, None if cold is None else (cold.three, cold.chosen))
    cost = text_cost(main.comparison, main.chosen.text, main.chosen.ids, n_weights)
    command = typed_command("answer", asked.cfg.overrides)
    name = main.study.result.record.name
    folder = Path(asked.cfg.output or Path(asked.cfg.paths.runs_dir) / "reports" / name)
    preface = opening(found, cost, main, cold, command, notes)
    title = f"Does a language model help on {main.comparison.protocol['data']}?"
    formats, record = list(asked.cfg.formats), main.study.result.record
    users = examples(main.comparison, [main.chosen.text, main.chosen.reference]) if examples else []
    paths = write_report(main.comparison, folder, title, command, formats, record, preface, users)
    if cold is not None:
        own = cold.study.result.record
        write_report(cold.comparison, folder / COLD_SPLIT, f"{title} Cold items", own.command, formats, study=own)
    page = paths.get("html") or next(iter(paths.values()), folder)
    return Answered(preface.sentence, found, cost, main, cold, page)
