"""The sections of a report over time, before rendering."""

from __future__ import annotations

from recsys.reports.formatting import metric_name
from recsys.reports.over_time import OverTime
from recsys.reports.over_time_tables import by_window_grid, over_time_grid, over_time_note, pairs_grid, windows_grid
from recsys.reports.plots.over_time import over_time_figure
from recsys.reports.sections import Section, Table


def over_time_sections(found: OverTime, command: str | None = None) -> list[Section]:
    """The non-empty sections, in order."""
    made = [Section("warnings", "Warnings", found.warnings)]
    for place, metric in enumerate(found.metrics):
        name = metric_name(metric)
        pooled = Table(f"{name} over all windows", over_time_grid(found, metric), over_time_note(found, metric))
        by_window = Table(f"{name} by window", by_window_grid(found, metric))
        figures = [over_time_figure(found, metric)]
        made.append(Section(f"over-time-{place}", f"{name} over time", figures=figures, tables=[pooled, by_window]))
    if main := found.pairs.get(found.metrics[0]):
        note = f"Over all windows, corrected for all {len(main)} pairs."
        made.append(Section("pairs", "Pairs", tables=[Table("All pairs", pairs_grid(found, found.metrics[0]), note)]))
    made.append(Section("windows", "Windows", tables=[Table("The test of each window", windows_grid(found))]))
    made.append(Section("repeat", "Repeat", code=command or ""))
    return [section for section in made if not section.is_empty]
