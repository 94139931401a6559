"""The report as a self-contained HTML file with style, script, figures and data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from recsys.reports import tables
from recsys.reports.comparison import Comparison
from recsys.reports.findings import summary_of
from recsys.reports.formatting import count, megabytes, metric_name, seconds
from recsys.reports.grids import Entry, Grid
from recsys.reports.html.run_links import run_grid, with_links
from recsys.reports.html.variants import Variant, variants, with_places
from recsys.reports.methods import bibliography, methods
from recsys.reports.plots.theme import DARK, LIGHT, Colours, config
from recsys.reports.preface import Preface
from recsys.reports.sections import Section, Table
from recsys.reports.verdict import Answer, total_seconds, verdict
from recsys.tracking.study_record import StudyRecord

MOST_ROWS = 500  # most rows of a figure's data on the page; its file has all
_FOLDER = "recsys.reports.html"
_LONG = 6  # least number of rows of a table with a filter


@dataclass(frozen=True)
class Heading:
    """The head of the page, and the command that makes the report again."""

    title: str
    summary: str
    command: str | None = None


def page(
    comparison: Comparison,
    sections: list[Section],
    title: str,
    command: str | None = None,
    preface: Preface | None = None,
    study: StudyRecord | None = None,
    folder: Path | None = None,
) -> str:
    """The file's content.

    Args:
        comparison: The reported comparison.
        sections: Its sections by the first metric.
        title: Title of the page.
        command: Command that makes the report again.
        preface: A beginning that replaces the first answers.
        study: Study of the runs.
        folder: Folder of the file, for links to the folders of the runs; None for no links.
    """
    shown = [_for_the_page(own, comparison, folder) for own in _with_methods(sections, comparison, study)]
    others = {metric: _variant_for_the_page(own) for metric, own in variants(comparison, sections, study).items()}
    summary, answers = summary_of(comparison), verdict(comparison)
    if preface is not None:
        summary, answers = preface.sentence, preface.answers
        others = {metric: replace(own, answers=answers) for metric, own in others.items()}
    return render(Heading(title, summary, command), answers, shown, comparison.metrics, others)


def render(
    heading: Heading,
    answers: list[Answer],
    shown: list[Section],
    metrics: Sequence[str] = (),
    others: Mapping[str, Variant] | None = None,
) -> str:
    """The content of a file with these answers and sections, and with those of other metrics to choose from."""
    others, environment = others or {}, _environment()
    return environment.get_template("report.html.jinja").render(
        page=heading,
        answers=answers,
        sections=with_places(shown, others),
        metrics=metrics,
        specs=_json(_specs(shown)),
        variants=_json({metric: _rendered(environment, own) for metric, own in others.items()}),
        themes=_json({"light": config(LIGHT), "dark": config(DARK)}),
        light=_variables(LIGHT),
        dark=_variables(DARK),
        style=_text("report.css"),
        script=_text("report.js"),
        library=_library(),
    )


def _specs(sections: Sequence[Section]) -> dict[str, Any]:
    """The figures' specifications, by name."""
    return {
        figure.name: {**figure.spec, "description": figure.alternative}
        for section in sections
        for figure in section.figures
    }


def _rendered(environment: Environment, variant: Variant) -> dict[str, Any]:
    """A variant as HTML and specifications for the page's script."""
    parts: Any = environment.get_template("parts.html.jinja").module
    bodies = {
        section.name: {"title": section.title, "body": "" if section.is_empty else parts.body(section)}
        for section in variant.sections
    }
    return {"answers": parts.cards(variant.answers), "sections": bodies, "specs": _specs(variant.sections)}


def _variant_for_the_page(variant: Variant) -> Variant:
    shown = [
        section if section.is_empty else _for_the_page(section, variant.comparison) for section in variant.sections
    ]
    return replace(variant, sections=shown)


def _with_methods(sections: Sequence[Section], comparison: Comparison, study: StudyRecord | None) -> list[Section]:
    """The sections, with one about the methods inserted before the commands."""
    own = Section("methods", "Methods", [methods(comparison, study)], code=bibliography(comparison))
    place = next((n for n, section in enumerate(sections) if section.name == "repeat"), len(sections))
    return [*sections[:place], own, *sections[place:]]


def _for_the_page(section: Section, comparison: Comparison, folder: Path | None = None) -> Section:
    """The section, with tables that can be sorted and filtered on a screen."""
    if section.name == "results":
        table = Table(section.tables[0].caption, leaderboard_grid(comparison), section.tables[0].note)
        return with_links(replace(section, tables=[table]), comparison)
    if section.name == "significance":
        return with_links(replace(section, tables=[]), comparison)  # a figure shows the matrix
    if section.name == "repeat":
        return replace(section, tables=[Table("Each run and its commands", run_grid(comparison, folder))], code="")
    return with_links(section, comparison)


def leaderboard_grid(comparison: Comparison) -> Grid:
    """Quality, time, weights and memory of each cell."""
    quality = tables.quality_grid(comparison)
    rows = []
    for row, entries in zip(comparison.rows, quality.rows, strict=True):
        time = total_seconds(row.cost)
        weights = Entry(count(row.cost.trainable), value=row.cost.trainable)
        memory = Entry(megabytes(row.cost.peak_mb), value=row.cost.peak_mb)
        rows.append([*entries, Entry(seconds(time), value=time), weights, memory])
    return Grid(["cell", *quality.headers[1:], "time", "trained weights", "peak memory"], rows)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("recsys.reports", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "columns_of_words": _columns_of_words,
        "long": _LONG,
        "metric_name": metric_name,
        "most_rows": MOST_ROWS,
    }
    return environment


def _columns_of_words(grid: Grid) -> set[int]:
    """Indices of the columns without a number, after the first column."""
    places = range(1, len(grid.headers))
    return {place for place in places if all(row[place].value is None for row in grid.rows)}


def _json(content: Any) -> str:
    """JSON that is safe within a script element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    safe = text.replace("</", "<\\/").replace("<!--", "\\u003c!--").replace("<script", "\\u003cscript")
    return safe.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _variables(colours: Colours) -> str:
    """The colours as custom properties of CSS."""
    single = {name: value for name, value in asdict(colours).items() if isinstance(value, str)}
    return " ".join(f"--{name}: {value};" for name, value in single.items())


def _text(name: str) -> str:
    return (files(_FOLDER) / name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """Vega, Vega-Lite and vega-embed as one script of less than a megabyte."""
    import vl_convert

    return (
        vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
        .replace("</script", "<\\/script")
        .replace("<!--", "<\\!--")
    )
