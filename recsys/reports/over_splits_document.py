"""The sections of a report over several splits, before rendering."""

from __future__ import annotations

from recsys.reports.formatting import all_of, metric_name
from recsys.reports.over_splits import OVER, OverSplits
from recsys.reports.over_splits_tables import (
    by_split_grid,
    over_splits_grid,
    over_splits_note,
    pairs_grid,
    splits_grid,
)
from recsys.reports.plots.over_splits import over_splits_figure
from recsys.reports.sections import Section, Table


def over_splits_sections(found: OverSplits, command: str | None = None) -> list[Section]:
    """The non-empty sections, in order."""
    made = [Section("warnings", "Warnings", found.warnings)]
    for place, metric in enumerate(found.metrics):
        name = metric_name(metric)
        note = over_splits_note(found, metric)
        pooled = Table(f"{name} over all {found.unit}s", over_splits_grid(found, metric), note)
        covers = "users and seeds" if len(found.first.seeds) > 1 else "users"
        single = f"Intervals of single {found.unit}s are over {covers}."
        by_split = Table(f"{name} by {found.unit}", by_split_grid(found, metric), single)
        figures = [over_splits_figure(found, metric)]
        title = f"{name} {OVER[found.unit]}"
        made.append(Section(f"over-splits-{place}", title, figures=figures, tables=[pooled, by_split]))
    if main := found.pairs.get(found.metrics[0]):
        note = f"Over all {found.unit}s, corrected for {all_of(len(main), 'pair')}."
        made.append(Section("pairs", "Pairs", tables=[Table("All pairs", pairs_grid(found, found.metrics[0]), note)]))
    tests = Table(f"The test of each {found.unit}", splits_grid(found))
    made.append(Section("splits", f"{found.unit.capitalize()}s", tables=[tests]))
    made.append(Section("repeat", "Repeat", code=command or ""))
    return [section for section in made if not section.is_empty]
