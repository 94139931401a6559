"""Examples of users in a report: largest gains and losses between two cells, and random users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from recsys.reports.comparable import find_baseline
from recsys.reports.comparison import Comparison
from recsys.reports.formatting import metric_name, number
from recsys.reports.grids import Entry, Grid
from recsys.reports.sections import Details, Section, Table
from recsys.reports.values import load_values
from recsys.schema import ComparisonError
from recsys.tracking.record import Record
from recsys.tracking.store import N_HISTORY, USER_COLUMN, Store

GAIN, LOSS, SAMPLED = "largest gain", "largest loss", "at random"
HIT = "✓"
_LONGEST, _LONGEST_LABEL = 80, 40  # most characters of a title, and of a cell's label in a header
_DEPTH = 10  # length of a list, for metrics without a cut-off


@dataclass(frozen=True)
class ChosenUser:
    """A user with the metric of both cells, averaged over the seeds and the user's queries."""

    user: str
    reason: str
    n_history: int
    first: float
    second: float


@dataclass(frozen=True)
class UserChoice:
    """The users of a section.

    Attributes:
        metric: Metric by which the cells are compared.
        pair: Labels of the two cells.
        runs: The run of each cell with the first seed.
        users: Users with the largest gains of the first cell, with its largest losses, then random users.
        n_better: Number of users for whom the first cell is better.
        n_worse: Number of users for whom it is worse.
        n_equal: Number of all other users.
        n_seeds: Number of seeds over which values are averaged.
    """

    metric: str
    pair: tuple[str, str]
    runs: tuple[Record, Record]
    users: list[ChosenUser]
    n_better: int
    n_worse: int
    n_equal: int
    n_seeds: int = 1

    @property
    def headers(self) -> list[str]:
        """The labels, shortened if they still differ then."""
        short = [shortened(label, _LONGEST_LABEL) for label in self.pair]
        return short if short[0] != short[1] else list(self.pair)

    @property
    def depth(self) -> int:
        """Length of a list: the metric's cut-off, or _DEPTH without one."""
        cut = self.metric.partition("@")[2]
        return int(cut) if cut else _DEPTH


@dataclass(frozen=True)
class UserExample:
    """A user's history, relevant items and recommendations of both cells.

    Attributes:
        history: Titles of the newest items, the newest first.
        relevant: Titles of relevant items of the test, not necessarily all.
        n_relevant: Number of all relevant items.
        lists: The recommended titles of each cell, best first, each with whether it is relevant.
    """

    history: list[str]
    relevant: list[str]
    n_relevant: int
    lists: tuple[list[tuple[str, bool]], list[tuple[str, bool]]]


def main_pair(comparison: Comparison, wanted: Sequence[str] | None = None) -> tuple[str, str] | None:
    """The labels of the two cells of the main difference; None without values per user or a second cell.

    Args:
        comparison: Comparison of the cells.
        wanted: Two cells by label, name or a run's id. None for the best cell and the baseline, or the second best
            cell if the best is the baseline or there is no baseline.

    Raises:
        ComparisonError: If `wanted` are not two different cells.
    """
    if not comparison.pairs(comparison.metrics[0]):
        return None
    labels = [row.label for row in comparison.rows]
    if wanted is None:
        others = [label for label in (comparison.baseline, labels[1]) if label not in (None, labels[0])]
        return labels[0], str(others[0])
    cells = [row.cell for row in comparison.rows]
    try:
        found = [labels[find_baseline(str(one), cells)] for one in wanted]
    except ComparisonError as error:
        raise ComparisonError(f"user_examples.pair: {error}") from error
    if len(set(found)) != 2 or len(found) != 2:
        raise ComparisonError(f"user_examples.pair is {list(wanted)}; expected two different cells.")
    return found[0], found[1]


def choose_users(comparison: Comparison, pair: tuple[str, str], n: int, seed: int) -> UserChoice:
    """Choose the users with the largest gains and losses in the first metric, and random users among the others.

    Args:
        comparison: A comparison with a known `runs_dir`.
        pair: Labels of two cells.
        n: Largest number of users of each kind.
        seed: Seed of the random users, and of the order of users with equal differences.

    Raises:
        RecsysError: If the values per user cannot be read.
    """
    assert comparison.runs_dir is not None
    metric, cells = comparison.metrics[0], [comparison.row(label).cell for label in pair]
    values = load_values(cells, Store(comparison.runs_dir), [metric])
    names = ["first", "second"]
    frame = values.queries.select(USER_COLUMN, N_HISTORY).hstack(pl.DataFrame(values.metrics[metric], schema=names))
    frame = frame.filter(pl.col("first").is_not_nan())
    frame = frame.group_by(USER_COLUMN, maintain_order=True).agg(pl.col(N_HISTORY).last(), pl.col(names).mean())
    sign = -1 if comparison.lower_is_better(metric) else 1
    gain = sign * (frame["first"] - frame["second"]).to_numpy()
    order = np.random.default_rng(seed).permutation(frame.height)
    ranked = order[np.argsort(-gain[order], kind="stable")]
    gains = [int(row) for row in ranked[:n] if gain[row] > 0]
    losses = [int(row) for row in ranked[::-1][:n] if gain[row] < 0]
    others = [int(row) for row in order if row not in {*gains, *losses}][:n]
    reasons = [GAIN] * len(gains) + [LOSS] * len(losses) + [SAMPLED] * len(others)
    rows = frame[[*gains, *losses, *others]].rows()
    return UserChoice(
        metric,
        pair,
        (cells[0].records[0], cells[1].records[0]),
        [ChosenUser(user, reason, *own) for reason, (user, *own) in zip(reasons, rows, strict=True)],
        int((gain > 0).sum()),
        int((gain < 0).sum()),
        int((gain == 0).sum()),
        len(comparison.seeds),
    )


def users_section(
    choice: UserChoice, examples: Mapping[str, UserExample], problem: str | None, hide_ids: bool
) -> Section:
    """The section of the report.

    Args:
        choice: The chosen users.
        examples: Examples by user id; empty if they could not be computed.
        problem: Reason why they could not be computed; None if they could.
        hide_ids: Whether numbers replace the users' ids.
    """
    names = {own.user: str(place) if hide_ids else own.user for place, own in enumerate(choice.users, start=1)}
    details = [
        _details(choice, own, f"user {names[own.user]}", examples[own.user])
        for own in choice.users
        if own.user in examples
    ]
    sentences = [_sentence(choice)]
    if problem is not None:
        sentences.append(f"Histories and recommendations are not shown: {problem}")
    elif details:
        sentences.append(_lists_sentence(choice))
    table = Table("Users with the largest differences, and users at random", _grid(choice, names), _note(choice))
    return Section("users", "Users", sentences, tables=[table], details=details)


def _sentence(choice: UserChoice) -> str:
    first, second = choice.pair
    return (
        f"By {metric_name(choice.metric)}, {first} is better than {second} for {choice.n_better} users, worse for "
        f"{choice.n_worse} and equal for {choice.n_equal}."
    )


def _lists_sentence(choice: UserChoice) -> str:
    first, second = choice.runs
    runs = f"`{first.run_id}` and `{second.run_id}`"
    return (
        f"Recommendations are computed from the weights of {runs} (seed {first.seed}), over the whole catalogue "
        f"without the items that the test excludes. {HIT} marks relevant items of the test."
    )


def _note(choice: UserChoice) -> str:
    seeds = f"Values are means over {choice.n_seeds} seeds. " if choice.n_seeds > 1 else ""
    return f"{seeds}Users with the largest differences are not typical. Random users are drawn from all others."


def _grid(choice: UserChoice, names: Mapping[str, str]) -> Grid:
    rows = [
        [
            Entry(names[own.user]),
            Entry(own.reason),
            Entry(str(own.n_history), value=own.n_history),
            *(Entry(number(value), value=value) for value in (own.first, own.second)),
            Entry(number(own.first - own.second, signed=True), value=own.first - own.second),
        ]
        for own in choice.users
    ]
    return Grid(["user", "chosen as", "known interactions", *choice.headers, "difference"], rows)


def _details(choice: UserChoice, own: ChosenUser, name: str, example: UserExample) -> Details:
    first, second = example.lists
    rows = [
        [Entry(str(place + 1), value=place + 1), _recommended(first, place), _recommended(second, place)]
        for place in range(max(len(first), len(second)))
    ]
    summary = (
        f"{name}, {own.reason}: {metric_name(choice.metric)} {number(own.first)} against {number(own.second)}, "
        f"{own.n_history} known interactions"
    )
    sentences = [
        f"Known, the newest first: {_listed(example.history, own.n_history)}.",
        f"Relevant in the test: {_listed(example.relevant, example.n_relevant)}.",
    ]
    return Details(summary, sentences, [Table(f"Recommended to {name}", Grid(["rank", *choice.headers], rows))])


def _recommended(titles: Sequence[tuple[str, bool]], place: int) -> Entry:
    if place >= len(titles):
        return Entry("")
    title, is_hit = titles[place]
    return Entry(f"{HIT} {shortened(title)}" if is_hit else shortened(title), is_best=is_hit)


def _listed(titles: Sequence[str], n: int) -> str:
    if not n:
        return "nothing"
    more = f" and {n - len(titles):,} more" if n > len(titles) else ""
    return "; ".join(map(shortened, titles)) + more


def shortened(title: str, longest: int = _LONGEST) -> str:
    """A title on one line, cut to `longest` characters.

    Example:
        >>> shortened("Alien\\n(1979)"), len(shortened("word " * 40))
        ('Alien (1979)', 80)
    """
    line = " ".join(title.split()) or "(no title)"
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
