"""Labels that a reader of reports must not run: HTML, links, formulas, options of LaTeX."""

from __future__ import annotations

import csv
import io
import re

import pytest
from reports.made_runs import made_run

from recsys.reports import grids
from recsys.reports.comparison import compare
from recsys.reports.formatting import safe_markdown
from recsys.reports.grids import Entry, Grid
from recsys.reports.report import write_report
from recsys.tracking.store import Store

HTML = "<img src=x onerror=alert(1)>"
LABELS = [
    HTML,
    r"\\<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "@x\n# heading",
    "[a](javascript:alert(1))",
    "```",
]


@pytest.fixture
def report(tmp_path):
    store = Store(tmp_path / "store")
    runs = [made_run(store, f"e{place}", "dot", 0, [0.1 * place, 0.5, 0.2, 0.4]) for place in range(len(LABELS))]
    labels = {run.run_id: [label] for run, label in zip(runs, LABELS, strict=True)}
    comparison = compare(runs, store, None, ["ndcg@10"], labels=labels)
    write_report(comparison, tmp_path / "report", f"Study {HTML}", "command", ["md", "csv", "pairs", "tex"])
    return tmp_path / "report"


def test_markdown_has_no_html_and_no_link(report):
    text = (report / "report.md").read_text()
    assert "img src=x" in text
    assert not re.search(r"(?<!\\)(?:\\\\)*<[A-Za-z/!?]", text)
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert "\n# heading" not in text


@pytest.mark.slow
def test_no_cell_of_csv_is_a_formula(report):
    for name in ("table.csv", "pairs.csv"):
        cells = [cell for line in csv.reader(io.StringIO((report / name).read_text())) for cell in line]
        assert any("cmd" in cell for cell in cells)
        assert not [cell for cell in cells if cell[:1] in ("=", "+", "@") and not cell[1:2].isdigit()]


@pytest.mark.parametrize("label", ["[unknown]", "*", "[2em]x"])
def test_latex_reads_no_label_as_an_option(label):
    rows = grids.to_latex(Grid([label, "n"], [[Entry(label), Entry("1")]] * 2)).splitlines()
    assert len([row for row in rows if row.startswith("{}")]) == 3
    assert not [row for row in rows if row.startswith(("[", "*"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p <0.0001 and a < b", "p <0.0001 and a < b"),
        ("<b>", r"\<b>"),
        (r"\<b>", r"\<b>"),
        (r"\\<b>", r"\\\<b>"),
        ("<!-- x", r"\<!-- x"),
        ("![a](b)", r"!\[a]\(b)"),
        ("a\n# b", "a # b"),
    ],
)
def test_running_text_is_no_markup(text, expected):
    assert safe_markdown(text) == expected
