"""The progress of an answer's study as a file, so that the same command continues an interrupted study."""

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
    """The time that was spent, and the decisions that stay when the command is given again.

    Attributes:
        path: Path of the file.
        minutes: Time for the study; with another time the decisions are made again.
        spent: Seconds that were spent, over all calls.
        measured: Number of groups of cells whose first trials were made.
        n_groups: Number of groups of cells that are kept; 0 before it is decided.
        begun: Number of trials of each cell that were begun; an interrupted block is completed first, for all cells.
        done: Number of trials of each cell that are done.
        seeds: Number of seeds of the tested runs; 0 before it is decided.
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
        """Read the ledger of a study's folder, or begin one. With other minutes, groups and seeds are decided again.

        Raises:
            RecordError: If the file is damaged.
        """
        path = folder / FILE
        if not path.is_file():
            return cls(path, minutes)
        found = load_json(path)
        try:
            own = cls(path, **_checked(found, _content(cls(path, minutes))))
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"{path} is damaged ({error}): delete it; finished runs are kept.") from error
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
        """Seconds that were spent until now, over all calls."""
        return self.spent + time.perf_counter() - self._since


def _checked(found: dict[str, Any], known: dict[str, float | int]) -> dict[str, Any]:
    """The values of a file, converted to the types that they have in a new ledger."""
    return {key: type(value)(found[key]) for key, value in known.items()}


def _content(ledger: Ledger) -> dict[str, float | int]:
    own = asdict(ledger)
    return {key: value for key, value in own.items() if key not in ("path", "_since")}
