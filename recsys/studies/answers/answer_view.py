"""The terminal view of an answer's study, with the time left until the whole study ends."""

from __future__ import annotations

import time

from omegaconf import DictConfig
from rich.console import Console

from recsys.reports.formatting import seconds
from recsys.studies.answers.ledger import Ledger
from recsys.studies.jobs import Outcome
from recsys.studies.view import StudyView


class AnswerView(StudyView):
    """Writes the time that was spent into the ledger at the end of each job.

    Args:
        cfg: Configuration of the study.
        console: Where it is shown.
        ledger: Ledger of the study.
    """

    def __init__(self, cfg: DictConfig, console: Console, ledger: Ledger) -> None:
        super().__init__(cfg, console)
        self.ledger = ledger
        self._end: float | None = None  # end of the study; None: the time left follows from the remaining runs

    def expect(self, remaining: float) -> None:
        """Set the expected time until the end of the study, in seconds."""
        self._end = time.perf_counter() + remaining

    def told(self, outcome: Outcome) -> None:
        """Called when a job has ended."""
        super().told(outcome)
        self.ledger.write()

    def _left(self) -> str:
        if self._end is None:
            return super()._left()
        left = self._end - time.perf_counter()
        return f"about {seconds(left)}" if left > 0 else "unknown: it takes longer than planned"

    def _line(self, outcome: Outcome) -> str:
        return f"{super()._line(outcome)}; left {self._left()}"
