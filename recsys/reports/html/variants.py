"""The parts of a page that depend on the metric, for each metric that a reader may choose."""

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
    """The page by another metric than the first.

    Attributes:
        comparison: With this metric as the first.
        answers: Of the first screen.
        sections: Those that differ from the ones by the first metric; empty where a section has no content.
    """

    comparison: Comparison
    answers: list[Answer]
    sections: list[Section]


def variants(
    comparison: Comparison, sections: Sequence[Section], study: StudyRecord | None = None
) -> dict[str, Variant]:
    """By metric, all but the first.

    Args:
        comparison: What the page is about.
        sections: By the first metric.
        study: That the runs belong to.
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
    """The sections, and an empty one in its place for each that only another metric has.

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
