"""The parts of a page that depend on the metric, for each metric that can be chosen on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.reports.comparison import Comparison
from recsys.reports.document import OF_METRIC, metric_sections
from recsys.reports.plots.base import without_validation
from recsys.reports.sections import Section
from recsys.reports.verdict import Answer, verdict
from recsys.tracking.study_record import StudyRecord


@dataclass(frozen=True)
class Variant:
    """The parts of the page by another metric than the first.

    Attributes:
        comparison: The comparison with this metric as the first.
        answers: Answers of the first screen.
        sections: The sections that differ from those by the first metric; empty ones if this metric lacks a section.
    """

    comparison: Comparison
    answers: list[Answer]
    sections: list[Section]


def variants(
    comparison: Comparison, sections: Sequence[Section], study: StudyRecord | None = None
) -> dict[str, Variant]:
    """The variants, by metric, for all metrics but the first.

    Args:
        comparison: The reported comparison.
        sections: Its sections by the first metric.
        study: Study of the runs.
    """
    shown = {section.name: section for section in sections}
    return {metric: _variant(comparison.by(metric), shown, study) for metric in comparison.metrics[1:]}


def _variant(comparison: Comparison, shown: Mapping[str, Section], study: StudyRecord | None) -> Variant:
    with without_validation():
        own = {section.name: section for section in metric_sections(comparison, study)}
    empty = [Section(name, shown[name].title) for name in OF_METRIC if name in shown and name not in own]
    changed = [section for name, section in own.items() if section != shown.get(name)]
    return Variant(comparison, verdict(comparison), [*changed, *empty])


def with_places(sections: Sequence[Section], found: Mapping[str, Variant]) -> list[Section]:
    """The sections, with an empty one at the position of each section that only another metric has.

    Example:
        >>> from recsys.reports.comparison import Comparison
        >>> other = Variant(None, [], [Section("a", "A", ["x"]), Section("new", "New", ["x"])])  # type: ignore
        >>> [one.name for one in with_places([Section("a", "A"), Section("b", "B")], {"m": other})]
        ['a', 'new', 'b']
    """
    placed = list(sections)
    for variant in found.values():
        before = 0
        for section in variant.sections:
            names = [one.name for one in placed]
            if section.name not in names:
                placed.insert(before, Section(section.name, section.title))
                names.insert(before, section.name)
            before = names.index(section.name) + 1
    return placed
