from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise

import pytest
from reports.made_runs import made_run, small_study

from recsys.reports.comparison import compare
from recsys.reports.paper import paper_table
from recsys.tracking.store import Store

TEX = shutil.which("pdflatex") or shutil.which("tectonic")
METRICS = ["ndcg@10", "recall@10", "coverage@10", "mrr@10", "map@10"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """17 cells by five metrics."""
    store = Store(tmp_path_factory.mktemp("paper"))
    runs = []
    for n in range(17):
        values = [0.1 + 0.8 * ((user * 37 + n) % 101) / 101 for user in range(30)]
        metrics = {f"test/{name}": 0.1234 for name in METRICS}
        runs.append(made_run(store, "bert", "dot", 0, values, config={"learning_rate": n}, metrics=metrics))
    return compare(runs, store, runs[0].run_id, METRICS)


def test_a_value_has_its_half_interval_and_its_marks(tmp_path):
    store = Store(tmp_path)
    comparison = compare(small_study(store), store, "popularity", ["ndcg@10", "coverage@10"])
    text = paper_table(comparison, "A & B")
    score = comparison.row("bert+dot").scores["ndcg@10"]
    half = (score.high_with_seeds - score.low_with_seeds) / 2
    assert rf"bert+dot & \textbf{{0.6250}}$_{{\pm {half:.4f}}}$ & 0.2500 \\" in text
    assert r"\caption{A \& B}" in text
    assert "$\\pm$ half the 95\\% interval over users and seeds" in text


def test_significant_differences_have_an_asterisk_in_any_column(tmp_path):
    store = Store(tmp_path)
    low, high = [0.1 + user / 1000 for user in range(20)], [0.5 + user / 999 for user in range(20)]
    runs = [made_run(store, "none", "popularity", 0, low), made_run(store, "bert", "dot", 0, high)]
    text = paper_table(compare(runs, store, "popularity", ["ndcg@10", "recall@10"]), "T")
    rows = {line.split(" & ")[0]: line for line in text.splitlines() if " & " in line}
    assert (rows["bert+dot"].count("$^{*}_"), rows["popularity"].count("^{*}")) == (2, 0)
    assert "* differs from popularity with p $<$ 0.05" in text


def test_seventeen_cells_by_five_metrics_fit_the_text(wide):
    text = paper_table(wide, "Wide")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 18
    assert {line.count(" & ") for line in rows} == {5}
    opened = re.findall(r"\\begin\{(\w+)\}", text)
    assert opened == re.findall(r"\\end\{(\w+)\}", text)[::-1] == ["table", "tabular"]
    assert text.count("{") == text.count("}")
    box, table = text.index(r"\resizebox{\ifdim\width>\linewidth"), text.index(r"\begin{tabular}")
    assert box < table
    assert all(first != second for first, second in pairwise(rows))


@pytest.mark.skipif(TEX is None, reason="neither pdflatex nor tectonic is on this machine")
def test_it_compiles_without_an_overfull_box(wide, tmp_path):
    packages = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
    (tmp_path / "paper.tex").write_text(packages + paper_table(wide, "Wide") + r"\end{document}")
    done = subprocess.run([str(TEX), "paper.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout + done.stderr
    assert (tmp_path / "paper.pdf").stat().st_size > 0
