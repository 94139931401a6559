"""Rows that cannot be read: an error lists the first ones and counts all, or they are dropped and counted by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from recsys.data.filters import INTERACTIONS_WITHOUT_VECTOR, WITHOUT_VECTOR
from recsys.data.sources.indexing import REPEATED
from recsys.schema import ConfigError, DataError

ERROR, DROP = "error", "drop"
LISTED = 20  # faults that an error lists

_SHARE = 0.01  # of faulty rows, from which on there is a warning

Finder = Callable[[int], Sequence[tuple[int, str]]]
Places = Callable[[Sequence[int]], list[str]]  # `file:line` of a table's rows; the same for all faults of a table


@dataclass(frozen=True)
class _Group:
    kind: str
    count: int
    find: Finder
    places: Places


class BadRows:
    """The faulty rows of a source's tables.

    Args:
        choice: `error` or `drop`.
        key: The configuration's key of the choice, for messages; empty if there is none.

    Raises:
        ConfigError: If the choice is unknown.

    Example:
        >>> bad = BadRows("drop")
        >>> bad.add("rows without an id", 2, lambda n: [], lambda rows: [])
        >>> bad.finish()
        {'rows without an id': 2}
    """

    def __init__(self, choice: str = ERROR, key: str = "") -> None:
        if choice not in (ERROR, DROP):
            raise ConfigError(f"{key}={choice} is unknown; use {ERROR} or {DROP}.")
        self.choice, self.key = choice, key
        self._groups: list[_Group] = []
        self._tables: dict[Places, tuple[str, int]] = {}  # name and number of rows of each table

    @property
    def drops(self) -> bool:
        """Whether faulty rows are dropped."""
        return self.choice == DROP

    def __bool__(self) -> bool:
        return bool(self._groups)

    def reads(self, label: str, n_rows: int, places: Places) -> None:
        """Note the name and the number of rows of a table, so that an error has the share of its faulty rows."""
        self._tables[places] = label, n_rows

    def add(self, kind: str, count: int, find: Finder, places: Places) -> None:
        """Add the rows of one table with one kind of fault; a row must not be added twice.

        Args:
            kind: The name of such rows, in the plural, for the statistics.
            count: The number of rows; 0 adds nothing.
            find: Returns (row number, fault) of the first n rows or more, as far as there are any. It is not called if
                faults are dropped.
            places: Returns `file:line` of ascending row numbers.
        """
        if count:
            self._groups.append(_Group(kind, int(count), find, places))

    def finish(self) -> dict[str, int]:
        """The number of dropped rows, by kind.

        Raises:
            DataError: If there are faults and the choice is `error`: the first 20, and the number of each kind.
        """
        if self._groups and not self.drops:
            raise DataError(self._message())
        return self._counts()

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for group in self._groups:
            counts[group.kind] = counts.get(group.kind, 0) + group.count
        return counts

    def _message(self) -> str:
        lines: list[str] = []
        for table in dict.fromkeys(group.places for group in self._groups):
            groups = [group for group in self._groups if group.places == table]
            found = sorted(fault for group in groups for fault in group.find(LISTED))[: LISTED - len(lines)]
            places = table([row for row, _ in found])
            lines += [f"{place}: {wrong}." for place, (_, wrong) in zip(places, found, strict=True)]
        counts = self._counts()
        total = sum(counts.values())
        if total == 1:
            return lines[0]
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in counts.items())
        listed = f" (the first {len(lines)} are listed)" if total > len(lines) else ""
        return "\n".join([*lines, f"{total:,} faulty rows in all{listed}: {kinds}{self._advice()}."])

    def _advice(self) -> str:
        """To drop the faulty rows, unless they are most rows of a table, whose keys are then likely to be wrong."""
        for places, (label, n_rows) in self._tables.items():
            n_faulty = sum(group.count for group in self._groups if group.places == places)
            if 2 * n_faulty > n_rows:
                share = f"{n_faulty / n_rows:.0%} of the rows of {label} are faulty"
                return f". {share}: check it and the keys that describe it"
        return f"; {self.key}={DROP} leaves them out and counts them" if self.key else ""


def faulty_rows_warnings(dropped: Mapping[str, int], n_kept: int) -> list[str]:
    """A warning if faulty rows were dropped that are more than 1 % of the rows, and one of items without a vector.

    Args:
        dropped: Counts of all dropped rows, by kind.
        n_kept: The number of interactions that were kept.

    Example:
        >>> faulty_rows_warnings({"rows with a bad time": 20, "repeated (user, item) pairs": 50}, 180)
        ['8.0% of the rows are faulty and were dropped: rows with a bad time 20. data.bad_rows=error lists them.']
    """
    faulty = {kind: count for kind, count in dropped.items() if kind.startswith("rows ") or " with unknown " in kind}
    n_faulty = sum(faulty.values())
    share = n_faulty / max(1, n_faulty + n_kept + dropped.get(REPEATED, 0))
    n_items, n_interactions = (dropped.get(kind, 0) for kind in (WITHOUT_VECTOR, INTERACTIONS_WITHOUT_VECTOR))
    found = (
        [f"{n_items:,} items without a vector and their {n_interactions:,} interactions are left out."]
        if n_items
        else []
    )
    if share <= _SHARE:
        return found
    advice = "data.bad_rows=error lists them"
    if any(" with unknown " in kind for kind in faulty):
        advice += "; interactions with unknown items need data.items.unknown=error, too"
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in faulty.items())
    return [*found, f"{share:.1%} of the rows are faulty and were dropped: {kinds}. {advice}."]
