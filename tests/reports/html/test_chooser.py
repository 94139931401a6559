"""The choice of a metric on the page. Needs chromium: see test_browser.py."""

from __future__ import annotations

import json

import pytest
from reports.html.test_browser import DESKTOP, PHONE, Opened, browser, labels, pytestmark  # noqa: F401

from recsys.reports.document import sections
from recsys.reports.formatting import metric_name
from recsys.reports.html.variants import variants


@pytest.fixture(scope="module")
def window(browser, made):  # noqa: F811
    opened = Opened(browser, made[2], PHONE, "dark")
    yield opened
    opened.context.close()


def choose(window, metric: str) -> None:
    window.page.select_option("#metric", metric)
    window.wait()


def drawn(page) -> list[str]:
    return page.eval_on_selector_all(
        "[data-figure]", "nodes => nodes.filter(node => node.querySelector('svg')).map(node => node.dataset.figure)"
    )


def test_one_choice_switches_every_figure_and_table(window, made):
    comparison, _, _ = made
    page, before = window.page, window.page.locator("main").inner_text()
    figures = drawn(page)
    choose(window, "coverage@10")
    other = comparison.by("coverage@10")
    assert labels(page, "#results > .table") == [row.label for row in other.rows]
    assert page.locator("#results figcaption h3").inner_text() == f"Leaderboard: {metric_name('coverage@10')}"
    assert page.locator("#significance").is_hidden()  # coverage has no values per user
    assert page.locator("nav a[href='#significance']").is_hidden()
    assert set(figures) > set(drawn(page)) >= {"leaderboard", "accuracy_cost", "search_history"}
    choose(window, "recall@10")
    assert set(drawn(page)) == set(figures)
    assert f"{metric_name('recall@10')} by segment" in page.locator("#segments h2").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator("#results > .table thead th").first.get_by_role("button").click()  # still sorts
    assert page.locator("#results > .table thead th").first.get_attribute("aria-sort") == "ascending"
    choose(window, "ndcg@10")
    assert page.locator("main").inner_text() == before
    assert window.logged == []
    assert window.requests == [made[2].as_uri()]


def test_a_figure_of_another_metric_is_saved_under_its_own_name(window, tmp_path):
    choose(window, "recall@10")
    figure = window.page.locator("#results figure")
    figure.locator("details").evaluate("node => { node.open = true; }")
    with window.page.expect_download() as download:
        figure.locator("[data-save=csv]").click()
    assert download.value.suggested_filename == "leaderboard_recall_10.csv"
    download.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_text().startswith("cell,recall@10,low")


def test_variants_have_the_numbers_of_their_metric(made):
    comparison, study, path = made
    found = variants(comparison, sections(comparison, None, study), study)
    assert list(found) == ["recall@10", "coverage@10"]
    own = {section.name: section for section in found["recall@10"].sections}
    differences = {row[0].text: row[1].value for row in own["ablation"].figures[0].data.rows}
    pair = comparison.pair("recall@10", "bert+dot without history", "bert+dot")
    assert differences[pair.a] == pair.difference.mean
    assert own["segments"].figures[0].data.headers[3] == "recall@10"
    assert next(one for one in found["coverage@10"].sections if one.name == "significance").is_empty
    text = path.read_text()
    start = text.index('id="variants">') + len('id="variants">')
    assert set(json.loads(text[start : text.index("</script>", start)])) == {"recall@10", "coverage@10"}


def test_the_methods_and_their_bibtex_can_be_copied(window, made):
    page = window.page
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, start in (("code", "@"), ("text", "We used the data set ")):
        button = page.locator(f"[data-copy=methods-{name}]")
        button.click()
        page.wait_for_function("node => node.textContent === 'Copied'", arg=button.element_handle())
        assert page.evaluate("navigator.clipboard.readText()").startswith(start)
    assert window.logged == []
