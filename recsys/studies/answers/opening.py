"""The beginning of an answer's report: the sentence, short answers, the comparisons, the plan and the next steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recsys.reports.formatting import ABSENT, all_of, counted, interval, metric_name, number, p_value, percent, seconds
from recsys.reports.grids import Entry, Grid
from recsys.reports.preface import Preface
from recsys.reports.sections import Section
from recsys.reports.sections import Table as ReportTable
from recsys.reports.verdict import Answer
from recsys.studies.answers.budget import LEVELS
from recsys.studies.answers.candidates import LANGUAGE_MODEL, WITHOUT_MODEL, WORDS, Candidate
from recsys.studies.answers.costs_of_text import TextCost
from recsys.studies.answers.judged import Judged
from recsys.studies.answers.next_steps import commands, next_steps
from recsys.studies.answers.scopes import (
    BETTER,
    OVERALL,
    WORSE,
    Scope,
    correction_name,
    ends,
    n_comparisons,
)
from recsys.studies.answers.sentences import detail, first_sentence, short_answer, smallest_difference


def opening(
    found: Sequence[Scope], cost: TextCost, main: Judged, cold: Judged | None, command: str, notes: Sequence[str]
) -> Preface:
    """The beginning of the report.

    Args:
        found: The planned comparisons; the first is OVERALL.
        cost: Costs of the text cell.
        main: The study of all items.
        cold: The study of cold items, if there is one.
        command: The command that repeats the answer.
        notes: Sentences about data and split.
    """
    overall = found[0]
    better = [scope.name for scope in found if scope.result == BETTER]
    whom = ", ".join("all users" if name == OVERALL else name for name in better) or "Not shown for anybody"
    is_tuned = main.study.level.trials > 1
    price = ABSENT if cost.text is None else seconds(cost.text)
    answers = [
        Answer(
            "Does a language model help?",
            short_answer(found, is_tuned),
            [detail(overall), *_beside(main), smallest_difference(overall)],
        ),
        Answer("For whom?", whom, [detail(scope) for scope in found[1:]]),
        Answer("At what cost?", price, [f"{overall.chosen.text}: {cost.short}.", f"{cost.weights}."]),
    ]
    sections = [
        Section("answer", "The answer in numbers", list(_method(found, main, cold)), tables=[_table(found, main)]),
        Section("plan", "Studies", [*notes, *_plan(main, "all items"), *_plan(cold, "cold items")]),
        Section("next", "Next steps", next_steps(found, main, cold), code=commands(overall, main, cold, command)),
    ]
    return Preface(first_sentence(found, cost, is_tuned), answers, sections)


def _method(found: Sequence[Scope], main: Judged, cold: Judged | None) -> Iterator[str]:
    chosen = main.chosen
    yield (
        f"{chosen.text} is the best cell with a language model and {chosen.reference} the best one without, both by "
        "validation."
    )
    if cold is not None:
        own = cold.chosen
        yield f"For cold items these are {own.text} and {own.reference}, by validation on other cold items."
    if chosen.control is None:
        yield "The control with random vectors failed, so no gain can be attributed to the text."
    else:
        yield (
            f"{chosen.control} is {chosen.text} with a random vector for each text. A gain counts as one of the text "
            "only if the cell is significantly better than this control too."
        )
    yield (
        f"p-values are corrected for {all_of(n_comparisons(found), 'comparison')} of this table "
        f"({correction_name(main.three.inference)}), which were planned before the test. The findings and tables "
        "further down compare all cells, so p of the same pair differs there."
    )


def _beside(main: Judged) -> Iterator[str]:
    """What the planned comparison leaves out: a better cell without a language model on the test, and TF-IDF."""
    comparison, chosen = main.comparison, main.chosen
    metric = comparison.metrics[0]
    kinds = {cell.label: cell.kind for cell in main.study.cells}
    without = [row.label for row in comparison.rows if kinds.get(row.label) in WITHOUT_MODEL]
    if without and (best := without[0]) != chosen.reference:  # rows are ordered by the metric of the test
        own = comparison.pair(metric, chosen.text, best).difference
        low, high = ends(own)
        yield (
            f"On the test, {best} ({number(comparison.row(best).scores[metric].mean)}) ranks above {chosen.reference}, "
            f"which validation chose. {chosen.text} against {best} is {number(own.mean, signed=True)} "
            f"{interval(low, high, signed=True)}, which is not among the planned comparisons."
        )
    if not _has_version_with_text(main):
        yield (
            f"{chosen.reference} was not tested with text, so the difference between {chosen.text} and "
            f"{chosen.reference} is also one between rankers."
        )
    if WORDS not in (kinds.get(row.label) for row in comparison.rows):
        yield "TF-IDF was not tested, so a cheaper encoder of the same texts may do as well."


def _has_version_with_text(main: Judged) -> bool:
    """Whether the best cell without a language model is also in the study with the language model's vectors."""
    reference, *_ = (cell for cell in main.study.cells if cell.label == main.chosen.reference)
    with_text = [cell for cell in main.study.cells if cell.kind == LANGUAGE_MODEL]
    is_popularity = "ranker=popularity" in reference.overrides  # which has no such version
    return is_popularity or any(_without_encoder(reference) <= _without_encoder(cell) for cell in with_text)


def _without_encoder(cell: Candidate) -> set[str]:
    return {override for override in cell.overrides if not override.startswith("encoder")}


def _table(found: Sequence[Scope], main: Judged) -> ReportTable:
    name = metric_name(found[0].metric)
    note = (
        f"{name} on the test. Intervals have a level of {percent(main.three.level)} for one comparison; p is corrected "
        "for all."
    )
    return ReportTable(f"With and without a language model: {name}", scope_grid(found), note)


def scope_grid(found: Sequence[Scope]) -> Grid:
    """One row for each scope."""
    headers = ["for", "part", "with", "without", "difference", "interval", "p"]
    return Grid([*headers, "over random vectors", "p over random", "result"], [_row(own) for own in found])


def _row(scope: Scope) -> list[Entry]:
    chosen, gain, control = scope.chosen, scope.gain, scope.over_control
    low, high = ends(gain)
    cells = (f"{label} {number(scope.means.get(label))}" for label in (chosen.text, chosen.reference))
    return [
        Entry(scope.name),
        Entry(scope.part),
        *(Entry(text) for text in cells),
        Entry(number(gain.mean, signed=True), value=gain.mean, is_marked=scope.result in (BETTER, WORSE)),
        Entry(interval(low, high, signed=True)),
        Entry(p_value(gain.p_corrected), value=gain.p_corrected),
        Entry(ABSENT) if control is None else Entry(number(control.mean, signed=True), value=control.mean),
        Entry(ABSENT) if control is None else Entry(p_value(control.p_corrected), value=control.p_corrected),
        Entry(scope.result),
    ]


def _plan(judged: Judged | None, name: str) -> Iterator[str]:
    """Sentences about the cells, trials, seeds and time of a study."""
    if judged is None:
        return
    study = judged.study
    n_trials = study.level.trials
    trials = "untuned, each with its own settings" if n_trials == 1 else f"{n_trials} trials each"
    seeds = "one seed" if study.level.seeds == 1 else f"{study.level.seeds} seeds"
    took = f"{seconds(study.seconds)} of at most {seconds(study.minutes * 60)}"
    cells = counted(len(study.cells), "cell")
    yield (
        f"Study of {name}: {cells}, {trials}; {seeds} each. Encoding, trials and runs took {took}, without reading the "
        "data and writing the report."
    )
    if study.dropped:
        yield f"Left out of the study of {name} for lack of time: {', '.join(study.dropped)}."
    if study.level != LEVELS[-1]:
        yield f"More minutes give each cell up to {LEVELS[-1].trials} trials and {LEVELS[-1].seeds} seeds."
    for outcome in study.result.failures:
        yield f"Failed: {outcome.label}: {outcome.error}"
