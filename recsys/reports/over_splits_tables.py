"""A comparison over windows of time, or draws of a split, as tables and sentences."""

from __future__ import annotations

from recsys.reports.corrections import NAMES
from recsys.reports.formatting import ABSENT, all_of, interval, metric_name, number, p_value, percent, with_interval
from recsys.reports.grids import Entry, Grid
from recsys.reports.over_splits import DRAW, WINDOW, OverSplits
from recsys.reports.scores import Score, ends_of
from recsys.reports.split_checks import DRAWN, period_of_test
from recsys.reports.verdict import Answer


def over_splits_grid(found: OverSplits, metric: str) -> Grid:
    """A table of cells with their mean over all splits and the difference from the baseline."""
    baseline, n = found.baseline, len(found.comparisons)
    compared = baseline is not None and metric in found.pairs
    extra = [f"Δ to {baseline}", f"p ({NAMES[found.first.inference.correction]})"] if compared else []
    ahead = [f"{found.unit}s ahead"] if baseline is not None else []
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
    return Grid([metric_name(metric), f"all {found.unit}s", *extra, *ahead], rows)


def by_split_grid(found: OverSplits, metric: str, brief: bool = False) -> Grid:
    """A table of each cell's mean on each split, with its interval unless `brief`; the best of a split is bold."""
    splits = found.comparisons.values()
    choose = min if found.first.lower_is_better(metric) else max
    best = [choose(own.row(label).scores[metric].mean for label in found.labels) for own in splits]
    rows = []
    for label in found.labels:
        scores = [own.row(label).scores[metric] for own in splits]
        texts = [number(score.mean) if brief else _mean(score) for score in scores]
        entries = zip(texts, scores, best, strict=True)
        rows.append([Entry(label), *(Entry(text, one.mean == top, value=one.mean) for text, one, top in entries)])
    return Grid([metric_name(metric), *found.comparisons], rows)


def over_splits_note(found: OverSplits, metric: str) -> str:
    """The caption of `over_splits_grid`."""
    if all(score.low is None for score in found.scores[metric].values()):
        return "The mean over windows. This metric has no values per user, so there is no interval and no test."
    text = _about_draws(found) if found.unit == DRAW else _about_windows(found)
    n = sum(score.difference is not None for score in found.scores[metric].values())
    if n:
        inference = found.first.inference
        test = "corrected resampled t-test" if found.unit == DRAW else found.first.test_name
        text += (
            f" The column '{found.unit}s ahead' counts the {found.unit}s in which a cell has a better mean than "
            f"{found.baseline}. An asterisk marks p < {inference.alpha:g} in a {test}, "
            f"{NAMES[inference.correction]}-corrected for {n} comparison{'s' if n > 1 else ''}."
        )
    if found.left_out:
        text += f" Left out, since not all {found.unit}s have them: {', '.join(found.left_out)}."
    return text


def _about_windows(found: OverSplits) -> str:
    covers = "users and seeds" if len(found.first.seeds) > 1 else "users"
    return (
        f"The mean over the {found.n_queries:,} queries of all windows, with the {percent(found.first.level)} interval "
        f"over {covers}. The {found.n_users:,} users are the units: the values of one user in several windows "
        f"({found.n_repeated:,} users) count as dependent. Intervals and tests are for new users in these windows, not "
        "for other periods; the means by window show how much results vary over time."
    )


def _about_draws(found: OverSplits) -> str:
    split = str(found.first.protocol.get("split"))
    return (
        f"The mean over {len(found.comparisons)} draws of split={split}, with the {percent(found.first.level)} "
        f"interval over draws. The draws are the units: intervals and tests are for other {DRAWN[split]} of this kind. "
        "They are corrected for the data that draws share (Nadeau and Bengio 2003)."
    )


def pairs_grid(found: OverSplits, metric: str) -> Grid:
    """A table of the differences of all pairs of cells over all splits."""
    order = {label: place for place, label in enumerate(found.labels)}
    pairs = [pair if order[pair.a] < order[pair.b] else pair.reversed for pair in found.pairs[metric]]
    rows = []
    for pair in sorted(pairs, key=lambda pair: (order[pair.a], order[pair.b])):
        own = pair.difference
        mean = Entry(number(own.mean, True), is_marked=found.first.is_significant(own), value=own.mean)
        p = [Entry(p_value(value), value=value) for value in (own.p, own.p_corrected)]
        rows.append([Entry(f"{pair.a} − {pair.b}"), mean, Entry(interval(*ends_of(own), signed=True)), *p])
    return Grid(["cells", f"Δ {metric_name(metric)}", "interval", "p", "p corrected"], rows)


def splits_grid(found: OverSplits) -> Grid:
    """A table of the splits: size of the test, the period of a window, and the best cell."""
    rows = []
    for name, own in found.comparisons.items():
        sizes = [Entry(f"{size:,}", value=size) for size in (own.n_users, own.n_queries)]
        period = [Entry(date) for date in period_of_test(own.records[0])] if found.unit == WINDOW else []
        rows.append([Entry(name), *period, *sizes, Entry(own.best(found.metrics[0]))])
    dates = ["test from", "test until"] if found.unit == WINDOW else []
    return Grid(["", *dates, "users", "queries", f"best by {metric_name(found.metrics[0])}"], rows)


def answers(found: OverSplits) -> list[Answer]:
    """The best cell over all splits, its significance, and its rank on single splits; by the first metric."""
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
    family = f"Corrected for {all_of(len(found.pairs.get(metric, [])), 'pair')} of cells."
    return [
        Answer(f"Which is best over all {found.unit}s?", best, [f"{metric_name(metric)} {_mean(score)}"]),
        Answer("How sure?", sure, [family] if rivals else []),
        Answer(
            "Does the order last?", f"{best} has the best mean in {found.n_best(best, metric)} of {n} {found.unit}s", []
        ),
    ]


def _mean(score: Score) -> str:
    return with_interval(score.mean, *ends_of(score))


def _is_best(found: OverSplits, metric: str, label: str) -> bool:
    means = {label: score.mean for label, score in found.scores[metric].items()}
    choose = min if found.first.lower_is_better(metric) else max
    return means[label] == choose(means.values()) and len(set(means.values())) > 1


def _difference(found: OverSplits, score: Score) -> list[Entry]:
    own = score.difference
    if own is None:
        return [Entry(ABSENT), Entry(ABSENT)]
    text = with_interval(own.mean, *ends_of(own), signed=True)
    marked = Entry(text, is_marked=found.first.is_significant(own), value=own.mean)
    return [marked, Entry(p_value(own.p_corrected), value=own.p_corrected)]
