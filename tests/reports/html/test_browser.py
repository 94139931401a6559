"""The page as a browser shows it. Needs chromium: `apt-get install chromium`, or CHROMIUM=/path/to/it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from full import only_full

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

# Every text that is visible, with its WCAG contrast to the nearest painted background; of figures the words too.
CONTRASTS = """
() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = (part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const background = (node) => {
    for (let own = node; own; own = own.parentElement) {
      const colour = parse(getComputedStyle(own).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.5) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].filter((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own.length || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(node.tagName)) continue;
    if (!node.getClientRects().length) continue;
    const style = getComputedStyle(node), isDrawn = node.namespaceURI.includes("svg");
    if (isDrawn && style.stroke !== "none") continue;  // the halo behind a label
    const colour = parse(isDrawn ? style.fill : style.color), behind = background(node);
    const [low, high] = [light(colour), light(behind)].sort((a, b) => a - b);
    found.push({ text: own[0].textContent.trim().slice(0, 40), contrast: (high + 0.05) / (low + 0.05) });
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Opened:
    """The page in a window of its own, with what it logged and asked for."""

    def __init__(self, browser, path: Path, viewport: dict, scheme: str = "light") -> None:
        self.logged: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(viewport=viewport, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.logged.append(message.text))
        self.page.on("pageerror", lambda error: self.logged.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri(), timeout=60_000)
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_selector("html[data-ready]", timeout=60_000)


@pytest.fixture(scope="module")
def opened(browser, made):
    """By viewport and colour scheme, each opened once."""
    windows: dict[tuple[int, str], Opened] = {}

    def get(viewport: dict, scheme: str | None = None) -> Opened:
        scheme = scheme or ("light" if viewport == DESKTOP else "dark")
        key = (viewport["width"], scheme)
        if key not in windows:
            windows[key] = Opened(browser, made[2], viewport, scheme)
        return windows[key]

    yield get
    for window in windows.values():
        window.context.close()


SCREENS = pytest.mark.parametrize(
    ("viewport", "scheme"),
    [
        pytest.param(DESKTOP, "light", id="desktop-light"),
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param(DESKTOP, "dark", id="desktop-dark", marks=only_full),
        pytest.param(PHONE, "light", id="phone-light", marks=only_full),
    ],
)
WIDTHS = pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])


@SCREENS
def test_it_opens_without_a_word_or_a_request(opened, made, viewport, scheme):
    window = opened(viewport, scheme)
    assert window.logged == []
    assert window.requests == [made[2].as_uri()]


@WIDTHS
def test_every_figure_is_drawn(opened, viewport):
    page = opened(viewport).page
    names = page.eval_on_selector_all("[data-figure]", "nodes => nodes.map(node => node.dataset.figure)")
    assert len(names) == 15
    for name in names:
        box = page.locator(f'[data-figure="{name}"] svg').bounding_box()
        assert box is not None, name
        assert box["width"] > 250, name
        assert box["height"] > 80, name
        marks = page.locator(
            f'[data-figure="{name}"] svg .mark-symbol path, [data-figure="{name}"] svg .mark-rect path'
        )
        assert marks.count() > 2, name


@WIDTHS
def test_the_page_is_never_wider_than_the_screen(opened, viewport):
    page = opened(viewport).page
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    wide = page.eval_on_selector_all(
        "figure, .table, article, pre",
        "nodes => nodes.filter(node => node.getBoundingClientRect().right > innerWidth).length",
    )
    assert wide == 0


@WIDTHS
def test_figures_fit_or_scroll_in_their_own_frame(opened, viewport):
    page = opened(viewport).page
    cut = page.eval_on_selector_all(
        "[data-figure]",
        """nodes => nodes.filter(node => {
             const frame = node.parentElement, svg = node.querySelector("svg");
             const mayScroll = Number(node.dataset.minWidth) > frame.clientWidth;
             return !mayScroll && svg.getBoundingClientRect().width > frame.clientWidth + 1;
           }).map(node => node.dataset.figure)""",
    )
    assert cut == []


@WIDTHS
def test_letters_in_figures_can_be_read(opened, viewport):
    sizes = opened(viewport).page.eval_on_selector_all(
        "[data-figure] svg text", "nodes => nodes.map(node => parseFloat(getComputedStyle(node).fontSize))"
    )
    assert len(sizes) > 200
    assert min(sizes) >= 11


@SCREENS
def test_contrast_of_every_text_is_enough(opened, viewport, scheme):
    page = opened(viewport, scheme).page
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    found = page.evaluate(CONTRASTS)
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = false; })")
    assert len(found) > 500
    assert [one for one in found if one["contrast"] < 4.5] == []


def test_the_system_decides_the_theme_and_the_button_overrules_it(browser, made):
    window = Opened(browser, made[2], DESKTOP, "dark")
    page, background = window.page, "getComputedStyle(document.body).backgroundColor"
    word = "getComputedStyle(document.querySelector('[data-figure] svg text')).fill"
    dark = page.evaluate(background), page.evaluate(word)
    page.get_by_role("button", name="Theme: system").click()
    window.wait()
    page.wait_for_function(f"{word} !== '{dark[1]}'")
    light = page.evaluate(background), page.evaluate(word)
    assert dark == ("rgb(17, 20, 24)", "rgb(232, 235, 239)")
    assert light == ("rgb(246, 247, 249)", "rgb(27, 31, 36)")
    assert page.get_by_role("button", name="Theme: light").is_visible()
    page.reload()
    window.wait()
    assert (page.evaluate(background), page.evaluate(word)) == light  # remembered
    assert window.logged == []
    window.context.close()


def labels(page, table: str) -> list[str]:
    return page.eval_on_selector_all(
        f"{table} tbody tr:not([hidden]) th", "nodes => nodes.map(node => node.textContent)"
    )


def test_tables_sort_by_mouse_and_by_keyboard(opened, made):
    comparison, _, _ = made
    page, table = opened(DESKTOP).page, "#results > .table"
    expected = [row.label for row in comparison.rows]
    assert labels(page, table) == expected
    header = page.locator(f"{table} thead th").nth(1)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert labels(page, table) == expected
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    assert labels(page, table) == expected[::-1]
    name = page.locator(f"{table} thead th").nth(0)
    name.get_by_role("button").click()
    assert (name.get_attribute("aria-sort"), header.get_attribute("aria-sort")) == ("ascending", "none")
    assert labels(page, table)[-1] == "tfidf+mlp (learning_rate=0.01)"
    time = page.locator(f"{table} thead th", has_text="time")
    time.get_by_role("button").click()
    assert labels(page, table)[0] == "gpt2+dot"  # 140 s of training, shown in minutes


def test_what_is_absent_stays_last_in_both_orders(opened):
    page, table = opened(DESKTOP).page, "#results > .table"
    difference = page.locator(f"{table} thead th", has_text="Δ to popularity").get_by_role("button")
    for _ in range(2):
        difference.click()
        assert labels(page, table)[-1] == "popularity"


def test_tables_filter(opened, made):
    comparison, _, _ = made
    page, table = opened(DESKTOP).page, "#results > .table"
    box = page.locator(f"{table} input")
    box.fill("DOT bert")
    assert set(labels(page, table)) == {
        row.label for row in comparison.rows if "bert" in row.label and "dot" in row.label
    }
    assert page.locator(f"{table} output").text_content() == f"3 of {len(comparison.rows)} rows"
    box.fill("no such cell")
    assert labels(page, table) == []
    box.fill("")
    assert len(labels(page, table)) == len(comparison.rows)


def test_the_first_column_stays_while_a_table_scrolls_on_a_phone(opened):
    page = opened(PHONE).page
    frame = "#results > .table .scroll"
    assert page.eval_on_selector(frame, "node => node.scrollWidth > node.clientWidth")
    before = page.eval_on_selector(f"{frame} tbody th", "node => node.getBoundingClientRect().left")
    page.eval_on_selector(frame, "node => { node.scrollLeft = 200; }")
    after = page.eval_on_selector(f"{frame} tbody th", "node => node.getBoundingClientRect().left")
    assert after == pytest.approx(before, abs=1)


@WIDTHS
@pytest.mark.parametrize("label", ["bert+dot (" + "pooling=mean, " * 12 + ")", "bert+dot (path=" + "x" * 150 + ")"])
def test_a_long_label_wraps_within_its_column(opened, viewport, label):
    measured = """
    (label) => {
      const node = document.querySelector("#segments > .table tbody th a"), row = node.closest("th");
      const before = node.textContent;
      node.textContent = label;
      const found = [row.clientWidth, node.getBoundingClientRect().width, document.documentElement.scrollWidth];
      node.textContent = before;
      return found;
    }
    """
    column, text, page = opened(viewport).page.evaluate(measured, label)
    assert text <= column < viewport["width"] / 2
    assert page <= viewport["width"]


@pytest.mark.parametrize("kind", ["svg", "png", "csv"])
def test_figures_can_be_saved(opened, kind, tmp_path):
    page = opened(DESKTOP).page
    figure = page.locator("figure").first
    figure.locator("details").evaluate("node => { node.open = true; }")
    with page.expect_download() as download:
        figure.locator(f"[data-save={kind}]").click()
    assert download.value.suggested_filename == f"leaderboard.{kind}"
    path = tmp_path / "file"
    download.value.save_as(path)
    content = path.read_bytes()
    starts = {"svg": b"<svg", "png": b"\x89PNG", "csv": b"cell,nDCG@10,low"}
    assert content.startswith(starts[kind])
    figure.locator("details").evaluate("node => { node.open = false; }")


def test_a_name_that_attacks_the_page_is_only_shown(opened):
    page = opened(DESKTOP).page
    assert page.locator("img").count() == 0
    assert page.locator("#results tbody th", has_text="<script>").count() == 2  # of the table and of the figure's data
