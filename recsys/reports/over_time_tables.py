"""A comparison over time as tables and sentences."""

from __future__ import annotations

from recsys.reports.corrections import NAMES
from recsys.reports.formatting import ABSENT, interval, metric_name, number, p_value, percent, with_interval
from recsys.reports.grids import Entry, Grid
from recsys.reports.over_time import OverTime
from recsys.reports.scores import Score, ends_of
from recsys.reports.verdict import Answer
from recsys.reports.window_checks import period_of_test


def over_time_grid(found: OverTime, metric: str) -> Grid:
    """A table of cells with their mean over all windows and the difference from the baseline."""
    baseline, n = found.first.baseline, len(found.comparisons)
    compared = baseline is not None and metric in found.pairs
    extra = [f"Δ to {baseline}", f"p ({NAMES[found.first.inference.correction]})"] if compared else []
    ahead = ["windows ahead"] if baseline is not None else []
    rows = []
    for label in found.labels:
        score = found.scores[metric][label]
        n_ahead = found.n_ahead(label, metric)
        wins = Entry(ABSENT) if n_ahead is None else Entry(f"{n_ahead} of {n}", value=n_ahead)
        rows.append(
            [
                Entry(label),
                Entry(_mean(score), _is_best(found, metric, label), value=score.mean),
                *(_difference(found, score) if compared else []),
                *([wins] if ahead else []),
            ]
        )
    return Grid([metric_name(metric), "all windows", *extra, *ahead], rows)


def by_window_grid(found: OverTime, metric: str, brief: bool = False) -> Grid:
    """A table of each cell's mean in each window, with its interval unless `brief`; the best of a window is bold."""
    windows = found.comparisons.values()
    choose = min if found.first.lower_is_better(metric) else max
    best = [choose(own.row(label).scores[metric].mean for label in found.labels) for own in windows]
    rows = []
    for label in found.labels:
        scores = [own.row(label).scores[metric] for own in windows]
        texts = [number(score.mean) if brief else _mean(score) for score in scores]
        entries = zip(texts, scores, best, strict=True)
        rows.append([Entry(label), *(Entry(text, one.mean == top, value=one.mean) for text, one, top in entries)])
    return Grid([metric_name(metric), *found.comparisons], rows)


def over_time_note(found: OverTime, metric: str) -> str:
    """The caption of `over_time_grid`."""
    covers = "users and seeds" if len(found.first.seeds) > 1 else "users"
    if all(score.low is None for score in found.scores[metric].values()):
        return "The mean over windows. This metric has no values per user, so there is no interval and no test."
    text = (
        f"The mean over the {found.n_queries:,} queries of all windows, with the {percent(found.first.level)} interval "
        f"over {covers}. The {found.n_users:,} users are the units: the values of one user in several windows "
        f"({found.n_repeated:,} users) count as dependent. Intervals and tests are for new users in these windows, not "
        "for other periods; the means by window show how much results vary over time."
    )
    n = sum(score.difference is not None for score in found.scores[metric].values())
    if n:
        inference = found.first.inference
        text += (
            f" The column 'windows ahead' counts the windows in which a cell has a better mean than "
            f"{found.first.baseline}. An asterisk marks p < {inference.alpha:g} in a {found.first.test_name}, "
            f"{NAMES[inference.correction]}-corrected for {n} comparison{'s' if n > 1 else ''}."
        )
    if found.left_out:
        text += f" Left out, since not all windows have them: {', '.join(found.left_out)}."
    return text


def pairs_grid(found: OverTime, metric: str) -> Grid:
    """A table of the differences of all pairs of cells over all windows."""
    order = {label: place for place, label in enumerate(found.labels)}
    pairs = [pair if order[pair.a] < order[pair.b] else pair.reversed for pair in found.pairs[metric]]
    rows = []
    for pair in sorted(pairs, key=lambda pair: (order[pair.a], order[pair.b])):
        own = pair.difference
        mean = Entry(number(own.mean, True), is_marked=found.first.is_significant(own), value=own.mean)
        p = [Entry(p_value(value), value=value) for value in (own.p, own.p_corrected)]
        rows.append([Entry(f"{pair.a} − {pair.b}"), mean, Entry(interval(*ends_of(own), signed=True)), *p])
    return Grid(["cells", f"Δ {metric_name(metric)}", "interval", "p", "p corrected"], rows)


def windows_grid(found: OverTime) -> Grid:
    """A table of the windows: period and size of the test, and the best cell."""
    rows = []
    for window, own in found.comparisons.items():
        sizes = [Entry(f"{size:,}", value=size) for size in (own.n_users, own.n_queries)]
        best = own.best(found.metrics[0])
        rows.append([Entry(window), *map(Entry, period_of_test(own.records[0])), *sizes, Entry(best)])
    return Grid(["", "test from", "test until", "users", "queries", f"best by {metric_name(found.metrics[0])}"], rows)


def answers(found: OverTime) -> list[Answer]:
    """The best cell over all windows, its significance, and its rank in single windows; by the first metric."""
    metric, best = found.metrics[0], found.labels[0]
    score, n = found.scores[metric][best], len(found.comparisons)
    rivals = [pair for pair in found.pairs.get(metric, []) if best in (pair.a, pair.b)]
    equal = [pair.b if pair.a == best else pair.a for pair in rivals if not found.first.is_significant(pair.difference)]
    sure = (
        "no test"
        if not rivals
        else f"not significantly different from {', '.join(equal)}"
        if equal
        else "significantly better than all other cells"
    )
    family = f"Corrected for all {len(found.pairs.get(metric, []))} pairs of cells."
    return [
        Answer("Which is best over all windows?", best, [f"{metric_name(metric)} {_mean(score)}"]),
        Answer("How sure?", sure, [family] if rivals else []),
        Answer("Does the order last?", f"{best} has the best mean in {found.n_best(best, metric)} of {n} windows", []),
    ]


def _mean(score: Score) -> str:
    return with_interval(score.mean, *ends_of(score))


def _is_best(found: OverTime, metric: str, label: str) -> bool:
    means = {label: score.mean for label, score in found.scores[metric].items()}
    choose = min if found.first.lower_is_better(metric) else max
    return means[label] == choose(means.values()) and len(set(means.values())) > 1


def _difference(found: OverTime, score: Score) -> list[Entry]:
    own = score.difference
    if own is None:
        return [Entry(ABSENT), Entry(ABSENT)]
    text = with_interval(own.mean, *ends_of(own), signed=True)
    marked = Entry(text, is_marked=found.first.is_significant(own), value=own.mean)
    return [marked, Entry(p_value(own.p_corrected), value=own.p_corrected)]
