"""Checks that comparisons are on several splits of one experiment, so that they can be pooled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from recsys.reports.comparison import Comparison
from recsys.schema import ComparisonError
from recsys.tracking.record import Record, canonical_json
from recsys.tracking.run_id import flatten

CUTS = ("train_from", "validation_from", "test_from", "test_until")  # keys of conf/split/temporal.yaml
LEAST_DRAWS = 3  # a standard deviation over two draws tells nearly nothing
DRAWN = {"cold_items": "items", "cold_users": "users", "random": "interactions"}  # by split: what split.seed draws
RANDOM_SPLITS = tuple(DRAWN)
_OF_SPLIT = ("split_fingerprint",)  # keys of a protocol that may differ


def check_windows(comparisons: Mapping[str, Comparison]) -> None:
    """Raise an error unless these are windows of time of one experiment, in the order of time.

    Raises:
        ComparisonError: If settings differ, or tests overlap; the message names them.
    """
    if len(comparisons) < 2:
        raise ComparisonError(
            f"a comparison over time needs runs in at least two windows; these are in {len(comparisons)}. Make them "
            "with study.windows, as in recsys study study=rolling."
        )
    _check_equal(comparisons, CUTS, "windows of time", "the cuts of their split", "rolling")
    periods = {name: period_of_test(own.records[0]) for name, own in comparisons.items()}
    for (earlier, (_, end)), (later, (begin, _)) in pairwise(periods.items()):
        if begin < end:
            raise ComparisonError(
                f"the test of {later} begins on {begin}, before that of {earlier} ends on {end}: an interaction would "
                "be tested twice. Select runs whose tests do not overlap."
            )


def check_draws(comparisons: Mapping[str, Comparison]) -> None:
    """Raise an error unless these are random draws of one split.

    Raises:
        ComparisonError: If settings differ, the split is not random, or there are fewer than three draws.
    """
    if len(comparisons) < LEAST_DRAWS:
        raise ComparisonError(
            f"a comparison over draws needs runs with at least {LEAST_DRAWS} values of split.seed; these have "
            f"{len(comparisons)}. Make them with study.draws=[0,1,2,3,4]."
        )
    split = str(next(iter(comparisons.values())).protocol.get("split"))
    if split not in RANDOM_SPLITS:
        raise ComparisonError(
            f"split={split} has no random draws of the test; expected one of {', '.join(RANDOM_SPLITS)}."
        )
    tests = {name: own.protocol.get("split_fingerprint") for name, own in comparisons.items()}
    same = [name for name, test in tests.items() if list(tests.values()).count(test) > 1]
    if same:
        raise ComparisonError(f"{', '.join(same)} have the same split: a draw must not count twice.")
    _check_equal(comparisons, ("seed",), "draws", "split.seed", "cold_start_cold_items")


def in_order_of_time(groups: Iterable[Sequence[Record]]) -> list[Sequence[Record]]:
    """Sort groups of runs by the period of their test.

    Raises:
        ComparisonError: If a run has no period of its test.
    """
    return sorted(groups, key=lambda group: period_of_test(group[0]))


def failures_of(group: Sequence[Record], failures: Iterable[Record]) -> list[Record]:
    """The failed runs of the same split as a group of finished runs, by its settings: they have no fingerprint."""
    splits = {canonical_json(record.config.get("split")) for record in group}
    return [record for record in failures if canonical_json(record.config.get("split")) in splits]


def period_of_test(record: Record) -> tuple[str, str]:
    """The dates of the first and the last interaction of a run's test.

    Raises:
        ComparisonError: If the record has none, such as that of a run on data without timestamps.
    """
    found = record.data_statistics
    if "test_from" not in found:
        raise ComparisonError(
            f"run {record.run_id} has no period of its test: a comparison over time needs runs of data with "
            "timestamps, made with split=temporal by this version. Make older runs again with rerun=true."
        )
    return str(found["test_from"]), str(found["test_until"])


def _settings(comparison: Comparison, free: Collection[str]) -> dict[str, str]:
    """The settings that must be equal on all splits: all but these keys of the split."""
    record = comparison.records[0]
    split: dict[str, Any] = {f"split.{key}": value for key, value in flatten(record.config.get("split") or {})}
    protocol = {key: value for key, value in flatten(record.protocol) if key not in _OF_SPLIT}
    own = {key: value for key, value in split.items() if key.removeprefix("split.") not in free}
    return {key: canonical_json(value) for key, value in {**protocol, **own, "seeds": comparison.seeds}.items()}


def _check_equal(
    comparisons: Mapping[str, Comparison], free: Collection[str], splits: str, differ_in: str, study: str
) -> None:
    settings = {name: _settings(own, free) for name, own in comparisons.items()}
    keys = dict.fromkeys(key for own in settings.values() for key in own)
    lines = []
    for key in keys:
        values = {name: own.get(key, "(missing)") for name, own in settings.items()}
        if len(set(values.values())) > 1:
            lines.append(f"  {key}: " + "; ".join(f"{value} in {name}" for name, value in values.items()))
    if lines:
        raise ComparisonError(
            f"{splits} must only differ in {differ_in}:\n" + "\n".join(lines) + "\nSelect runs of one study, as in "
            f"study.name={study}."
        )
