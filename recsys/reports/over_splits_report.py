"""The report of a comparison over several splits as files: a page, markdown, a table and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.reports.formatting import safe_markdown
from recsys.reports.over_splits import OVER, WINDOW, OverSplits
from recsys.reports.over_splits_tables import answers, over_splits_grid
from recsys.reports.report import FIGURES, PICTURES, blocks, write_figures
from recsys.reports.spreadsheets import grid_to_csv
from recsys.support.whole_files import OUTPUT, write_atomically
from recsys.tracking.names import as_name

if TYPE_CHECKING:
    from recsys.reports.sections import Section


def write_over_splits(
    found: OverSplits, folder: Path, title: str, command: str | None = None, formats: Sequence[str] = ()
) -> dict[str, Path]:
    """Write `over_time.html` (of draws `over_draws.html`), `.md` and `.csv`, and figures, those among the formats.

    Raises:
        RecsysError: If they cannot be written.
    """
    from recsys.reports.over_splits_document import over_splits_sections

    sections = over_splits_sections(found, command)
    picture = next((format for format in PICTURES if format in formats), None)
    makers = {
        "html": lambda: _page(found, sections, title),
        "md": lambda: _markdown(found, sections, title, picture),
        "csv": lambda: grid_to_csv(over_splits_grid(found, found.metrics[0])),
    }
    written = {}
    for format, make in makers.items():
        if format in formats:
            written[format] = folder / f"{as_name(OVER[found.unit])}.{format}"
            write_atomically(written[format], make().encode(), OUTPUT)
    write_figures([figure for section in sections for figure in section.figures], folder / FIGURES, formats)
    return written


def remove_over_splits(folder: Path) -> None:
    """Remove an earlier comparison over splits from a report, whose present splits cannot be pooled."""
    for over in OVER.values():
        for format in ("html", "md", "csv"):
            (folder / f"{as_name(over)}.{format}").unlink(missing_ok=True)


def _summary(found: OverSplits) -> str:
    n = len(found.first.seeds)
    data = found.first.protocol.get("data", "one data set")
    splits, up_to = ("windows of time", "") if found.unit == WINDOW else ("draws", "up to ")
    return (
        f"{len(found.labels)} cells in {len(found.comparisons)} {splits} of {data}: {n} "
        f"seed{'s' if n > 1 else ''} each, tested on {up_to}{found.n_users:,} users"
    )


def _page(found: OverSplits, sections: list[Section], title: str) -> str:
    from recsys.reports.html.page import Heading, render

    return render(Heading(title, _summary(found)), answers(found), sections)


def _markdown(found: OverSplits, sections: list[Section], title: str, picture: str | None) -> str:
    parts = [f"# {safe_markdown(title)}\n", f"{safe_markdown(_summary(found))}.\n"]
    for own in answers(found):
        details = "".join(f"\n\n- {safe_markdown(detail)}" for detail in own.details)
        parts.append(f"**{own.question}** {safe_markdown(own.answer)}{details}\n")
    for section in sections:
        text = "\n\n".join(blocks(section, picture)).rstrip()
        parts.append(f"## {safe_markdown(section.title)}\n\n{text}\n")
    return "\n".join(parts)
