"""Text that a report begins with in place of the headline: an answer to the question that the runs were made for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recsys.reports.verdict import Answer

if TYPE_CHECKING:
    from recsys.reports.sections import Section


@dataclass(frozen=True)
class Preface:
    """The beginning of a report.

    Attributes:
        sentence: The first sentence of the report.
        answers: Short answers below it.
        sections: Before the others.
    """

    sentence: str
    answers: list[Answer] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
