"""A comparison as tables: for the terminal, in markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping

from recsys.reports.comparison import Comparison, Row
from recsys.reports.corrections import NAMES
from recsys.reports.formatting import (
    ABSENT,
    all_of,
    count,
    counted,
    interval,
    megabytes,
    metric_name,
    number,
    p_value,
    percent,
    seconds,
    with_interval,
)
from recsys.reports.grids import Entry, Grid
from recsys.reports.scores import Score
from recsys.reports.segments import Segments

WITH_SEEDS = "with seeds"
_SEEDS_NOTE = f", and under '{WITH_SEEDS}' the interval over users and seeds"


def quality_grid(comparison: Comparison, brief: bool = False) -> Grid:
    """Metrics by cell: the first with differences and p-values, the others with their intervals (omitted if `brief`).

    With several seeds, there are intervals over users and seeds too; a brief table leaves them to `seeds_grid`.
    """
    others = [] if brief else comparison.metrics[1:]
    with_seeds = has_seeds(comparison) and not brief
    headers = ["", *_main_headers(comparison, with_seeds), *map(metric_name, others)]
    rows = [
        [
            Entry(row.label),
            *_main_entries(row, comparison, with_seeds),
            *(_value(row, one, comparison) for one in others),
        ]
        for row in comparison.rows
    ]
    return _with_notes(Grid(headers, rows), comparison)


def _with_notes(grid: Grid, comparison: Comparison) -> Grid:
    """The grid with a column of letters that refer to notes on cells, if there are notes."""
    found = comparison.unequal
    if not found.notes:
        return grid
    rows = [[*row, Entry(found.markers(row[0].text))] for row in grid.rows]
    return Grid([*grid.headers, "notes"], rows)


def seeds_grid(comparison: Comparison) -> Grid:
    """The intervals over users and seeds of the first metric and its differences."""
    main = comparison.metrics[0]
    headers = ["", f"{metric_name(main)} {WITH_SEEDS}"]
    rows = []
    for row in comparison.rows:
        score = row.scores[main]
        rows.append([Entry(row.label), _interval(score.low_with_seeds, score.high_with_seeds)])
        if comparison.baseline is not None:
            own = score.difference
            rows[-1].append(Entry(ABSENT) if own is None else _interval(own.low_with_seeds, own.high_with_seeds, True))
    return Grid(headers if comparison.baseline is None else [*headers, f"Δ {WITH_SEEDS}"], rows)


def has_seeds(comparison: Comparison) -> bool:
    """Whether there are intervals over users and seeds."""
    return any(row.scores[comparison.metrics[0]].low_with_seeds is not None for row in comparison.rows)


def has_intervals(comparison: Comparison) -> bool:
    """Whether any metric has values per user, and so intervals."""
    return any(score.low is not None for row in comparison.rows for score in row.scores.values())


def others_grid(comparison: Comparison) -> Grid:
    """All metrics but the first by cell, with their intervals."""
    others = comparison.metrics[1:]
    rows = [[Entry(row.label), *(_value(row, metric, comparison) for metric in others)] for row in comparison.rows]
    return Grid(["", *map(metric_name, others)], rows)


def cost_grid(comparison: Comparison) -> Grid:
    """Weights, times, memory and epochs of each cell's runs."""
    headers = ["", "trained weights", "all weights", "encode", "train", "test", "peak memory", "epochs"]
    rows = []
    for row in comparison.rows:
        cost = row.cost
        epochs = ABSENT if cost.epochs is None else f"{cost.epochs:.1f}"
        times = [Entry(seconds(value), value=value) for value in (cost.encode, cost.train, cost.test)]
        weights = [Entry(count(value), value=value) for value in (cost.trainable, cost.total)]
        memory = Entry(megabytes(cost.peak_mb), value=cost.peak_mb)
        rows.append([Entry(row.label), *weights, *times, memory, Entry(epochs, value=cost.epochs)])
    return Grid(headers, rows)


def segment_grid(comparison: Comparison) -> Grid:
    """The first metric by segment, with intervals; marked if it differs significantly from the baseline's."""
    segments = comparison.segments
    sizes = [f"{name} (n={size})" if size is not None else name for name, size in segments.sizes.items()]
    best = {name: _greatest(own, comparison.lower_is_better(segments.metric)) for name, own in segments.values.items()}
    rows = [
        [Entry(row.label), *(_segment_entry(row.label, name, comparison, best[name]) for name in segments.values)]
        for row in comparison.rows
    ]
    return Grid(["", *sizes], rows)


def full_note(comparison: Comparison) -> str:
    """The caption of the quality table, then the notes on cells with smaller budgets than others."""
    return f"{note(comparison)} {comparison.unequal.footnote}".rstrip()


def _segment_entry(label: str, name: str, comparison: Comparison, best: float | None) -> Entry:
    segments = comparison.segments
    value, score = segments.values[name][label], segments.scores.get(name, {}).get(label)
    if score is None:
        return Entry(number(value), value == best, value=value)
    ends = (score.low, score.high) if score.low_with_seeds is None else (score.low_with_seeds, score.high_with_seeds)
    return Entry(with_interval(value, *ends), value == best, comparison.is_significant(score.difference), value)


def segment_note(comparison: Comparison) -> str:
    """The caption of the table by segment."""
    segments, inference = comparison.segments, comparison.inference
    text = (
        "In `items=…` only a segment's items count as relevant, over the queries that have one; `history=…` groups the "
        "test queries by the user's number of known interactions. n counts queries; best in bold."
    )
    if segments.scores:
        covers = "users and seeds" if len(comparison.seeds) > 1 else "users"
        text += f" In brackets the {percent(comparison.level)} interval over {covers}."
    n = segments.n_comparisons
    if n:
        text += (
            f" An asterisk marks a difference from {comparison.baseline} with p < {inference.alpha:g} in a "
            f"{comparison.test_name}, {NAMES[inference.correction]}-corrected for "
            f"{all_of(n, 'difference')} in this table."
        )
    return " ".join([text, *segments.notices])


def segment_scores_grid(comparison: Comparison) -> Grid:
    """A line for each cell and segment, with all intervals and the difference from the baseline."""
    headers = ["cell", "segment", "queries", comparison.segments.metric, "low", "high", "low with seeds"]
    headers += ["high with seeds", "difference", "difference low", "difference high", "difference low with seeds"]
    headers += ["difference high with seeds", "p (users)", "p (with seeds)", "p (corrected)"]
    segments = comparison.segments
    return Grid(
        headers, [_segment_line(row.label, name, segments) for row in comparison.rows for name in segments.values]
    )


def _segment_line(label: str, name: str, segments: Segments) -> list[Entry]:
    score = segments.scores.get(name, {}).get(label, Score(segments.values[name][label]))
    own, size = score.difference, segments.sizes[name]
    numbers = [segments.values[name][label], score.low, score.high, score.low_with_seeds, score.high_with_seeds]
    numbers += [None] * 5 if own is None else [own.mean, own.low, own.high, own.low_with_seeds, own.high_with_seeds]
    p_values = [None] * 3 if own is None else [own.p_users, own.p_with_seeds, own.p_corrected]
    return [
        Entry(label),
        Entry(name),
        Entry(ABSENT if size is None else str(size), value=size),
        *(Entry(number(value), value=value) for value in numbers),
        *(Entry(p_value(p), value=p) for p in p_values),
    ]


def note(comparison: Comparison) -> str:
    """The caption of the quality table."""
    seeds, inference = len(comparison.seeds), comparison.inference
    of_queries = "" if comparison.n_queries == comparison.n_users else f", {comparison.n_queries} queries"
    text = f"Mean over {comparison.n_users} users{of_queries} and {seeds} seed{'s' if seeds > 1 else ''}; "
    if has_intervals(comparison):
        with_seeds = _SEEDS_NOTE if has_seeds(comparison) else ""
        text += f"in brackets the {percent(comparison.level)} interval over users{with_seeds}; "
    text += "best in bold."
    n = max(map(comparison.n_comparisons, comparison.metrics))
    if comparison.baseline is None or not n:
        return text
    return (
        f"{text} An asterisk marks a difference from {comparison.baseline} with p < {inference.alpha:g} in a "
        f"{comparison.test_name}, {NAMES[inference.correction]}-corrected for "
        f"{counted(n, 'comparison')} (intervals are not corrected); d is the mean difference over its standard "
        "deviation between users."
    )


def _main_headers(comparison: Comparison, with_seeds: bool) -> list[str]:
    headers = [metric_name(comparison.metrics[0]), "seed sd", *([WITH_SEEDS] if with_seeds else [])]
    if comparison.baseline is None:
        return headers
    headers += [f"Δ to {comparison.baseline}", *([f"Δ {WITH_SEEDS}"] if with_seeds else [])]
    return [*headers, f"p ({NAMES[comparison.inference.correction]})", "d"]


def _main_entries(row: Row, comparison: Comparison, with_seeds: bool) -> list[Entry]:
    main = comparison.metrics[0]
    score = row.scores[main]
    value = with_interval(score.mean, score.low, score.high)
    entries = [Entry(value, row.label in comparison.leaders(main), value=score.mean)]
    entries.append(Entry(number(score.seed_sd), value=score.seed_sd))
    if with_seeds:
        entries.append(_interval(score.low_with_seeds, score.high_with_seeds))
    return entries if comparison.baseline is None else [*entries, *_difference(row, comparison, with_seeds)]


def _difference(row: Row, comparison: Comparison, with_seeds: bool) -> list[Entry]:
    own = row.scores[comparison.metrics[0]].difference
    if own is None:
        absent = [Entry(ABSENT)] * (3 if with_seeds else 2)
        return [Entry("baseline" if row.label == comparison.baseline else ABSENT), *absent]
    entries = [Entry(with_interval(own.mean, own.low, own.high, signed=True), value=own.mean)]
    if with_seeds:
        entries.append(_interval(own.low_with_seeds, own.high_with_seeds, signed=True))
    effect_size = Entry(f"{own.effect_size:z.2f}".replace("-", "−"), value=own.effect_size)
    p = Entry(p_value(own.p_corrected), is_marked=comparison.is_significant(own), value=own.p_corrected)
    return [*entries, p, effect_size]


def _interval(low: float | None, high: float | None, signed: bool = False) -> Entry:
    return Entry(interval(low, high, signed) or ABSENT, value=low)


def _value(row: Row, metric: str, comparison: Comparison) -> Entry:
    score = row.scores[metric]
    text = with_interval(score.mean, score.low, score.high)
    return Entry(text, row.label in comparison.leaders(metric), comparison.is_significant(score.difference), score.mean)


def _greatest(values: Mapping[str, float], lower: bool) -> float | None:
    """The best value; None if all values are equal or missing."""
    known = {value for value in values.values() if value == value}
    return None if len(known) < 2 else min(known) if lower else max(known)
