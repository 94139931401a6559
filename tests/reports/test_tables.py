from __future__ import annotations

import csv
import io
import re

import pytest
from reports.made_runs import made_run, small_study
from rich.console import Console

from recsys.reports import grids, tables
from recsys.reports.comparison import Comparison, compare
from recsys.reports.findings import findings
from recsys.reports.spreadsheets import to_csv
from recsys.tracking.store import Store

METRICS = ["ndcg@10", "recall@10", "coverage@10"]


@pytest.fixture
def comparison(tmp_path) -> Comparison:
    store = Store(tmp_path)
    return compare(small_study(store), store, "popularity", METRICS)


@pytest.fixture
def awkward(tmp_path) -> Comparison:
    """Cells whose labels hold every character that some format treats in a way of its own."""
    store = Store(tmp_path)
    values = [0.1, 0.5, 0.2, 0.4]
    odd = r"a|b_c*[0,1] <50%> \x{y}~^#$&`"
    runs = [made_run(store, "bert", "dot", 0, values, config={"odd": odd}), made_run(store, "bert", "dot", 0, values)]
    return compare(runs, store, None, ["ndcg@10"])


def printed(grid: grids.Grid, width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(grids.to_rich(grid))
    return console.file.getvalue()  # type: ignore[attr-defined]


def parsed_markdown(text: str) -> list[list[str]]:
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in line] for line in lines]


def test_equal_cells_have_a_d_without_sign(tmp_path):
    store = Store(tmp_path)
    runs = [made_run(store, "none", name, 0, [0.5, 0.2, 0.3]) for name in ("a", "b")]
    made = compare(runs, store, "a", ["ndcg@10"])
    assert [row[-1].text for row in tables.quality_grid(made).rows] == ["–", "0.00"]
    assert "d = 0.00" in findings(made)[0]


def test_markdown_parses_back(comparison):
    head, rule, *rows = parsed_markdown(grids.to_markdown(tables.quality_grid(comparison)))
    first = ["", "nDCG@10", "seed sd", "with seeds", "Δ to popularity", "Δ with seeds", "p (Holm)", "d"]
    assert head == [*first, "recall@10", "coverage@10"]
    assert rule[:2] == ["---", "---:"]
    assert [row[0] for row in rows] == ["bert+dot", "tfidf+dot", "popularity"]
    assert rows[0][1].startswith("**0.6250 [")
    assert rows[0][1].endswith("]**")
    assert rows[1][1].startswith("0.5000 [")
    assert rows[0][4].startswith("+0.3750 [+")
    assert rows[2][4:8] == ["baseline", "–", "–", "–"]
    assert rows[0][9] == "0.2500"  # nobody leads where all are equal


def test_a_significant_difference_is_marked_and_another_is_not(tmp_path):
    store = Store(tmp_path)
    runs = [
        made_run(store, "bert", "dot", 0, [0.5, 0.6, 0.7, 0.81]),
        made_run(store, "tfidf", "dot", 0, [0.4, 0.5, 0.6, 0.7]),
        made_run(store, "gpt2", "dot", 0, [0.9, 0.1, 0.9, 0.11]),
    ]
    found = compare(runs, store, "tfidf+dot", ["ndcg@10", "recall@10"])
    grid = tables.quality_grid(found)
    marks = {row[0].text: (row[4].is_marked, row[6].is_marked) for row in grid.rows}
    assert marks == {"bert+dot": (True, True), "gpt2+dot": (False, False), "tfidf+dot": (False, False)}
    bert = next(row for row in parsed_markdown(grids.to_markdown(grid)) if row[0] == "bert+dot")
    assert bert[4].endswith("*")
    assert next(line for line in grids.to_latex(grid).splitlines() if "bert" in line).count("$^{*}$") == 2
    assert "Holm-corrected for 2 comparisons" in tables.note(found)
    without_values = compare(runs, store, "tfidf+dot", ["coverage@10"])
    assert "Holm" not in tables.note(without_values)


def test_intervals_with_seeds_have_columns_where_there_are_several(comparison, awkward):
    seeds = tables.seeds_grid(comparison)
    assert seeds.headers == ["", "nDCG@10 with seeds", "Δ with seeds"]
    assert [row[2].text for row in seeds.rows][-1] == "–"
    full = tables.quality_grid(comparison)
    assert [row[3] for row in full.rows] == [row[1] for row in seeds.rows]
    assert "with seeds" not in tables.quality_grid(comparison, brief=True).headers
    assert not tables.has_seeds(awkward)
    assert "with seeds" not in tables.quality_grid(awkward).headers
    assert "with seeds" not in tables.note(awkward)
    assert "with seeds" in tables.note(comparison)


def test_csv_parses_back_to_the_exact_numbers(comparison):
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    for line, row in zip(rows, comparison.rows, strict=True):
        score = row.scores["ndcg@10"]
        assert line["label"] == row.label
        assert float(line["ndcg@10"]) == score.mean
        assert float(line["ndcg@10_low"]) == score.low
        assert float(line["ndcg@10_low_with_seeds"]) == score.low_with_seeds
        assert line["coverage@10_low"] == ""
        expected = "" if score.difference is None else repr(score.difference.p_corrected)
        assert line["ndcg@10_difference_p_corrected"] == expected
        assert line["seeds"] == "0 1"
        assert line["run_ids"].split() == row.cell.run_ids
    assert (rows[0]["trained_weights"], rows[0]["train_seconds"], rows[0]["epochs"]) == ("12345", "10.0", "4.5")


def test_latex_is_a_booktabs_table(comparison):
    text = grids.to_latex(tables.quality_grid(comparison), "A & B", "tab:x")
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    assert r"\begin{tabular}{lrrrrrrrrr}" in text
    assert r"\caption{A \& B}" in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    assert all(line.count("&") == 9 and line.endswith(r"\\") for line in body)
    assert r"\textbf{0.6250 [" in body[0]
    assert "Δ" not in text
    assert text.isascii()


def test_awkward_labels_survive_every_format(awkward):
    label = next(row.label for row in awkward.rows if "odd" in row.label)
    grid = tables.quality_grid(awkward)
    assert label in [row[0] for row in parsed_markdown(grids.to_markdown(grid))]
    assert label in [row["label"] for row in csv.DictReader(io.StringIO(to_csv(awkward)))]
    assert label in printed(grid)
    latex = grids.to_latex(grid)
    line = next(line for line in latex.splitlines() if "odd" in line)
    unescaped = re.sub(r"\\[&%$#_{}]|\$[<>]\$|\\text\w+\{\}|\$-\$", "", re.split(r"(?<!\\)&", line)[0])
    assert not re.search(r"[%$#_~^\\]", unescaped)


def test_the_terminal_keeps_an_interval_together(comparison):
    wide, narrow = (printed(tables.quality_grid(comparison, brief=True), width) for width in (120, 80))
    assert re.search(r"0\.6250 \[0\.\d{4},1\.0000\]", wide)
    assert re.search(r"\[0\.\d{4},1\.0000\]", narrow)
    assert max(map(len, narrow.splitlines())) <= 80
    assert re.search(r"\[\+0\.\d{4},\+0\.\d{4}\]", printed(tables.seeds_grid(comparison), 80))
    assert [row[0].text for row in tables.others_grid(comparison).rows] == ["bert+dot", "tfidf+dot", "popularity"]


def test_costs_are_readable(comparison):
    row = [entry.text for entry in tables.cost_grid(comparison).rows[0]]
    assert row == ["bert+dot", "12 k", "23 M", "2.0 s", "10 s", "0.50 s", "501 MB", "4.5"]


def test_segments_by_cell(comparison):
    grid = tables.segment_grid(comparison)
    assert grid.headers[:3] == ["", "items=cold (n=2)", "items=head (n=4)"]
    assert grid.rows[0][1] == grids.Entry("0.3125", is_best=True, value=0.3125)
    assert grid.rows[1][1] == grids.Entry("0.2500", value=0.25)
