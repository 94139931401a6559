from __future__ import annotations

import io

import pytest
from omegaconf import OmegaConf
from reports.made_runs import made_run, small_study
from rich.console import Console

from recsys.config.compose import conf_dir
from recsys.reports.comparison import compare
from recsys.reports.readme import caption, duration, update_readme, with_block
from recsys.schema import ConfigError
from recsys.tracking.store import Store
from recsys.tracking.study_record import GRID, StudyCell, StudyRecord, Trial

TEXT = """# Title

<!-- mine table: begin -->
by hand
<!-- mine table: end -->

**What it says.** Words.

<!-- other table: begin (x) -->
kept
<!-- other table: end -->
"""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def a_study(store, records, name="mine"):
    cells = {}
    for record in records:
        cells.setdefault(record.name, {})[str(record.seed)] = record.run_id
    cells = [StudyCell(label, GRID, [], run_ids) for label, run_ids in cells.items()]
    study = StudyRecord(name, "study mine", [0, 1], ["ndcg@10"], "popularity", "val/ndcg@10", {}, cells)
    study.write(store.root)
    return study


def update(store, file, **keys):
    cfg = OmegaConf.load(conf_dir() / "update_readme.yaml")
    own = {"block": "mine", "file": str(file), "runs_dir": str(store.root), "overrides": ["block=mine"]}
    return update_readme(OmegaConf.merge(cfg, own, keys), Console(file=io.StringIO()))


def test_a_block_is_written_from_records_and_a_second_time_nothing_changes(store, tmp_path):
    a_study(store, small_study(store))
    made_run(store, "gpt2", "dot", 0, [0.0, 0.0, 0.0, 0.0])  # is none of the study's
    file = tmp_path / "README.md"
    file.write_text(TEXT)
    assert update(store, file)
    written = file.read_text()
    before, block, after = (*written.partition("<!-- mine table: end -->"),)
    assert "| bert+dot | **0.6250" in before
    assert "| popularity | 0.2500" in before
    assert "gpt2" not in before
    assert "by hand" not in written
    assert before.startswith("# Title\n\n<!-- mine table: begin (recsys update_readme block=mine) -->\n|")
    assert after == TEXT.partition(block)[2]
    assert not update(store, file)
    assert file.read_text() == written


def test_a_block_of_the_best_rows_has_the_baseline_and_says_so(store, tmp_path):
    a_study(store, small_study(store))
    file = tmp_path / "README.md"
    file.write_text(TEXT)
    assert update(store, file, n_rows=1)
    written = file.read_text()
    assert [line.split("|")[1].strip() for line in written.splitlines() if line.startswith("| ")] == [
        "",
        "---",
        "bert+dot",
        "popularity",
    ]
    assert "The best 1 of 3 cells, and the baseline." in written
    with pytest.raises(ConfigError, match="n_rows is 0; expected a whole number of at least 1"):
        update(store, file, n_rows=0)


def test_the_caption_tells_users_seeds_runs_and_time(store, tmp_path):
    comparison = compare(small_study(store), store, "popularity", ["ndcg@10"])
    text = " ".join(caption(comparison, "docs/report.md").split())
    assert text.startswith("Test nDCG@10 over all. Mean over 4 users and 2 seeds")
    # Of six runs 10 s of fitting and 0.5 s of test each; of the one encoder the longest encoding, 2 s.
    assert text.endswith("6 runs, 65 s of computing ([whole report](docs/report.md)).")
    assert "-corrected for 2 comparisons." in text
    assert all(len(line) <= 127 for line in caption(comparison).splitlines())


def test_runs_that_two_cells_share_count_once(store):
    runs = small_study(store)
    labels = {run.run_id: ["one", "two"] if run.name == "bert+dot" else run.name for run in runs}
    comparison = compare(runs, store, "popularity", ["ndcg@10"], labels=labels)
    assert len(comparison.rows) == 4
    text = " ".join(caption(comparison).split())
    assert text.endswith("6 runs, 65 s of computing.")


def test_the_caption_counts_a_search(store):
    comparison = compare(small_study(store), store, "popularity", ["ndcg@10"])
    cells = [StudyCell("bert+dot", GRID, [], trials=[Trial(n, {}, "finished", seconds=30.0) for n in range(4)])]
    study = StudyRecord("mine", "", [0, 1], ["ndcg@10"], None, "val/ndcg@10", cells=cells)
    text = " ".join(caption(comparison, study=study).split())
    assert text.endswith("6 runs, 65 s of computing, after 4 trials in 2.0 min.")


def test_an_encoding_that_several_runs_report_is_counted_once(store):
    runs = [
        made_run(store, "bert", "dot", seed, [0.5], encoding={"identity": {"encoder": "bert"}}, times={"encode": 8.0})
        for seed in (0, 1)
    ]
    other = made_run(
        store, "tfidf", "dot", 0, [0.5], encoding={"identity": {"encoder": "tfidf"}}, times={"encode": 1.0}
    )
    assert duration([*runs, other]) == 9.0


@pytest.mark.parametrize(
    "text", ["nothing", TEXT + TEXT, "<!-- mine table: begin -->\nno end", "<!-- mine2 table: begin -->\n"]
)
def test_a_text_without_its_markers_is_refused(text):
    with pytest.raises(ConfigError, match=r"block=mine: found (0|2) pairs of the lines .* expected one pair"):
        with_block(text, "mine", "new", "command")


def test_a_study_whose_runs_are_gone_is_told(store, tmp_path):
    records = small_study(store)
    a_study(store, records)
    store.delete(records[0].run_id)
    file = tmp_path / "README.md"
    file.write_text(TEXT)
    with pytest.raises(ConfigError, match=f"lacks {records[0].run_id} of study mine; make them: study mine"):
        update(store, file)
    assert file.read_text() == TEXT
