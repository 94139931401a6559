"""A beginning of a report that replaces the headline, such as the answer of `recsys answer`."""

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
        sections: Sections before the others.
    """

    sentence: str
    answers: list[Answer] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
