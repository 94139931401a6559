"""The progress of an answer's study as a file, so that the same command goes on where it was stopped."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recsys.schema import RecordError
from recsys.tracking.record import load_json, write_json

FILE = "answer.json"


@dataclass
class Ledger:
    """Time that was spent, and decisions that hold when the command is given again.

    Attributes:
        path: Of the file.
        minutes: Of the study; another number makes the decisions again.
        spent: Seconds, over all calls.
        measured: Groups of cells whose first trials were made.
        n_groups: Of cells that are kept; 0 before it is decided.
        begun: Trials of each cell that were begun: all cells get as many before anything else.
        done: Trials of each cell that are done.
        seeds: Of the tested runs; 0 before it is decided.
    """

    path: Path
    minutes: float
    spent: float = 0.0
    measured: int = 0
    n_groups: int = 0
    begun: int = 0
    done: int = 0
    seeds: int = 0
    _since: float = field(default_factory=time.perf_counter)

    @classmethod
    def read(cls, folder: Path, minutes: float) -> Ledger:
        """That of a study's folder, or a new one. With more minutes than before, groups and seeds are decided again."""
        path = folder / FILE
        if not path.is_file():
            return cls(path, minutes)
        found = load_json(path)
        try:
            own = cls(path, **_checked(found, _content(cls(path, minutes))))
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"{path} is damaged ({error}). Delete it: finished runs are found.") from error
        if own.minutes != minutes:
            own.minutes, own.n_groups, own.seeds = minutes, 0, 0
        return own

    def write(self) -> None:
        """Write the file, with the time that was spent until now."""
        now = time.perf_counter()
        self.spent, self._since = self.spent + now - self._since, now
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, _content(self))

    @property
    def seconds(self) -> float:
        """That were spent until now."""
        return self.spent + time.perf_counter() - self._since


def _checked(found: dict[str, Any], known: dict[str, float | int]) -> dict[str, Any]:
    """The values of a file, as the types that they have in a new ledger."""
    return {key: type(value)(found[key]) for key, value in known.items()}


def _content(ledger: Ledger) -> dict[str, float | int]:
    own = asdict(ledger)
    return {key: value for key, value in own.items() if key not in ("path", "_since")}
