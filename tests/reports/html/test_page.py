from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from full import only_full
from reports.html.conftest import HOSTILE
from reports.made_runs import made_run, small_study

from recsys.reports.comparison import compare
from recsys.reports.document import sections
from recsys.reports.html.run_links import run_grid
from recsys.reports.report import write_report
from recsys.tracking.store import Store
from recsys.tracking.study_record import CHANGE

VOID = {"meta", "link", "img", "input", "br", "hr"}
LIMIT = 5_000_000


class Page(HTMLParser):
    """Elements with their attributes and texts, and whether every one is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"{self._open} are not closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, [])
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open:
            self.texts[self._open[-1]].append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


pytestmark = pytest.mark.slow  # the report of a whole study, made once


@pytest.fixture(scope="module")
def text(made):
    return made[2].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def script(text: str, name: str) -> dict:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_is_small_and_asks_for_nothing(text, page):
    assert len(text.encode()) < LIMIT
    assert not page.all("link")
    assert not page.all("img")
    assert not page.all("iframe")
    assert all("src" not in attributes for attributes in page.all("script"))
    assert all((attributes["href"] or "").startswith(("#", "../")) for attributes in page.all("a"))
    assert "@import" not in text
    policies = [attributes["content"] or "" for attributes in page.all("meta") if "http-equiv" in attributes]
    assert policies[0].startswith("default-src 'none';")
    assert "unsafe-eval" not in policies[0]


def test_every_section_is_there_and_the_first_answers(page):
    ids = [attributes.get("id") for attributes in page.all("section")]
    assert ids == [
        "answers",
        "results",
        "findings",
        "significance",
        "ablation",
        "segments",
        "cost",
        "learning",
        "search",
        "tradeoffs",
        "failed",
        "protocol",
        "data",
        "methods",
        "repeat",
    ]
    assert [attributes["href"] for attributes in page.all("a")][1 : len(ids)] == [f"#{name}" for name in ids[1:]]
    assert page.texts["h1"] == ["A <study> & more"]
    questions = [text for text in page.texts["h2"] if text.endswith("?")]
    assert questions == ["Which is best?", "How sure?", "At what cost?"]


def test_every_figure_has_a_title_words_a_picture_and_its_data(made, text, page):
    comparison, study, _ = made
    expected = {figure.name: figure for section in sections(comparison, None, study) for figure in section.figures}
    charts = {attributes["data-figure"]: attributes for attributes in page.all("div") if "data-figure" in attributes}
    specs = script(text, "specs")
    assert set(charts) == set(specs) == set(expected)
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(page.all("details")) == len(expected)
    for name, figure in expected.items():
        assert charts[name]["role"] == "img"
        assert charts[name]["aria-label"] == figure.alternative
        assert figure.title in page.texts["h3"]
        assert f"Data: {figure.title}" in page.texts["caption"]
        assert specs[name]["datasets"] == figure.spec["datasets"]


def test_tables_are_for_everyone(page):
    assert len(page.all("caption")) == len(page.all("table"))
    headers = page.all("th")
    assert {attributes["scope"] for attributes in headers} == {"col", "row"}
    assert all(attributes["aria-sort"] == "none" for attributes in headers if attributes["scope"] == "col")
    assert all(attributes.get("aria-label") for attributes in page.all("input"))


def test_names_cannot_break_out_of_the_page(text, page):
    assert HOSTILE not in text
    assert HOSTILE in page.texts["th"]
    assert len(page.all("script")) == 5
    assert any(row["cell"] == HOSTILE for row in script(text, "specs")["leaderboard"]["datasets"]["rows"])


def test_numbers_stand_beside_what_they_are_sorted_by(made, text):
    comparison, _, _ = made
    best = comparison.rows[0]
    score = best.scores["ndcg@10"]
    assert f'<td data-value="{score.mean}"><strong>' in text
    assert f'<td data-value="{score.difference.p_corrected}">' in text


def test_the_command_of_every_run_is_there(made, text):
    comparison, _, _ = made
    for record in comparison.records:
        assert f'<td class="word"><a href="../{record.run_id}/record.json">{record.run_id}</a></td>' in text
        assert (made[2].parent / f"../{record.run_id}/record.json").is_file()
        assert f"<code>recsys runs action=show run={record.run_id}</code>" in text
        assert f"seed={record.seed}</code>" in text
    assert "recsys study study=made" in text
    assert text.count("<code>recsys train") == len(comparison.records)


def test_the_name_of_each_cell_links_to_its_first_run(made, text, page):
    comparison, _, _ = made
    rows = dict(re.findall(r'<tr id="(cell-\d+)"><th scope="row">.*?</th>.*?record\.json">(\w+)</a>', text))
    assert sorted(rows.values()) == sorted(row.cell.run_ids[0] for row in comparison.rows)
    linked = {attributes["href"] for attributes in page.all("a") if (attributes["href"] or "").startswith("#cell-")}
    assert linked == {f"#{name}" for name in rows}
    best = comparison.rows[0]
    place = re.search(rf'<th scope="row"><a href="#(cell-\d+)">{re.escape(best.label)}</a></th>', text)
    assert place is not None
    assert rows[place[1]] == best.cell.run_ids[0]


@pytest.mark.parametrize("section", ["results", "ablation", "segments", "cost"])
def test_each_cell_of_a_table_links_to_its_runs(made, text, section):
    comparison, study, _ = made
    compared = {row.label for row in comparison.rows}
    changes = {cell.label for cell in study.cells if cell.kind == CHANGE} & compared
    n_cells = len(changes if section == "ablation" else compared)
    own = text.partition(f'<section id="{section}"')[2].partition("</section>")[0]
    (*_, last) = own.split("<tbody>")
    assert last.partition("</tbody>")[0].count('<th scope="row"><a href="#cell-') == n_cells


def test_links_to_runs_are_safe_addresses(made, tmp_path):
    comparison, _, _ = made
    grid = run_grid(replace(comparison, runs_dir=tmp_path / 'a "b" #1'), tmp_path)
    assert grid.rows[0][2].link == f"a%20%22b%22%20%231/{comparison.rows[0].cell.run_ids[0]}/record.json"
    assert run_grid(comparison, None).rows[0][2].link == ""


def test_a_page_elsewhere_does_not_link_to_the_store_of_this_machine(made, tmp_path, monkeypatch):
    comparison = replace(made[0], runs_dir=tmp_path / "project" / "runs")
    page = tmp_path / "project" / "docs"
    assert run_grid(comparison, page).rows[0][2].link == ""
    monkeypatch.chdir(tmp_path)  # both are in the current folder
    assert run_grid(comparison, page).rows[0][2].link.startswith("../runs/")


def test_without_a_study_baseline_or_seeds_the_page_stands(tmp_path):
    store = Store(tmp_path)
    runs = small_study(store)[::2]
    text = write_report(compare(runs, store, None, ["ndcg@10"]), tmp_path / "r", "T", None, ["html"])[
        "html"
    ].read_text()
    page = Page(text)
    ids = {attributes.get("id") for attributes in page.all("section")}
    expected = {
        "answers",
        "warnings",
        "results",
        "significance",
        "segments",
        "cost",
        "tradeoffs",
        "protocol",
        "methods",
        "repeat",
    }
    assert ids == expected
    alone = compare(runs[:1], store, None, ["coverage@10"])
    Page(write_report(alone, tmp_path / "alone", "T", None, ["html"])["html"].read_text())


@pytest.mark.parametrize("n_runs", [50, pytest.param(200, marks=only_full)])
def test_many_runs_of_671_users_are_all_in_one_small_page(n_runs, tmp_path):
    store = Store(tmp_path)
    values = [0.1 + 0.8 * (user * 37 % 101) / 101 for user in range(671)]
    curve = [{"epoch": float(epoch), "train/loss": 1 / (epoch + 1), "val/ndcg@10": 0.01 * epoch} for epoch in range(30)]
    runs = [
        made_run(
            store, "bert", "dot", 0, [value * (1 - cell / 400) for value in values], config={"n": cell}, curve=curve
        )
        for cell in range(n_runs)
    ]
    comparison = compare(store.records(), store, runs[0].run_id, ["ndcg@10", "recall@10", "coverage@10"])
    path = write_report(comparison, tmp_path / "report", "Many runs", None, ["html"])["html"]
    assert path.stat().st_size < LIMIT
    page = Page(path.read_text())
    cells = page.texts["a"]
    assert {run.run_id for run in runs} <= set(cells)
    assert len({text for text in page.texts["th"] if text.startswith("bert+dot (n=")}) == n_runs
