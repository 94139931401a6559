"""The report of a comparison over time as files: a page, markdown, a table and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.reports.formatting import safe_markdown
from recsys.reports.over_time import OverTime
from recsys.reports.over_time_tables import answers, over_time_grid
from recsys.reports.report import FIGURES, PICTURES, blocks, write_figures
from recsys.reports.spreadsheets import grid_to_csv
from recsys.support.whole_files import OUTPUT, write_atomically

if TYPE_CHECKING:
    from recsys.reports.sections import Section

NAME = "over_time"


def write_over_time(
    found: OverTime, folder: Path, title: str, command: str | None = None, formats: Sequence[str] = ()
) -> dict[str, Path]:
    """Write `over_time.html`, `.md` and `.csv`, and a figure for each metric, if these are among the formats.

    Raises:
        RecsysError: If they cannot be written.
    """
    from recsys.reports.over_time_document import over_time_sections

    sections = over_time_sections(found, command)
    picture = next((format for format in PICTURES if format in formats), None)
    makers = {
        "html": lambda: _page(found, sections, title),
        "md": lambda: _markdown(found, sections, title, picture),
        "csv": lambda: grid_to_csv(over_time_grid(found, found.metrics[0])),
    }
    written = {}
    for format, make in makers.items():
        if format in formats:
            written[format] = folder / f"{NAME}.{format}"
            write_atomically(written[format], make().encode(), OUTPUT)
    write_figures([figure for section in sections for figure in section.figures], folder / FIGURES, formats)
    return written


def _summary(found: OverTime) -> str:
    n = len(found.first.seeds)
    data = found.first.protocol.get("data", "one data set")
    return (
        f"{len(found.labels)} cells in {len(found.comparisons)} windows of time of {data}: {n} "
        f"seed{'s' if n > 1 else ''} each, tested on {found.n_users:,} users"
    )


def _page(found: OverTime, sections: list[Section], title: str) -> str:
    from recsys.reports.html.page import Heading, render

    return render(Heading(title, _summary(found)), answers(found), sections)


def _markdown(found: OverTime, sections: list[Section], title: str, picture: str | None) -> str:
    parts = [f"# {safe_markdown(title)}\n", f"{safe_markdown(_summary(found))}.\n"]
    for own in answers(found):
        details = "".join(f"\n\n- {safe_markdown(detail)}" for detail in own.details)
        parts.append(f"**{own.question}** {safe_markdown(own.answer)}{details}\n")
    for section in sections:
        text = "\n\n".join(blocks(section, picture)).rstrip()
        parts.append(f"## {safe_markdown(section.title)}\n\n{text}\n")
    return "\n".join(parts)
