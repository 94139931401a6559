"""What is not compared, and what is said of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from reports.made_runs import PROTOCOL, failed_run, made_run, small_study

import recsys
from recsys.api import comparing
from recsys.reports.comparison import compare
from recsys.schema import ComparisonError
from recsys.tracking.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_different_protocols_are_refused_with_all_that_differs(store):
    other = {**PROTOCOL, "split": {"name": "temporal", "fingerprint": "s2"}, "budget": 20}
    runs = [*small_study(store), made_run(store, "bert", "mlp", 0, [1, 1, 1, 1], protocol=other)]
    with pytest.raises(ComparisonError) as refusal:
        compare(runs, store, None, ["ndcg@10"])
    lines = str(refusal.value).splitlines()
    five = ", ".join(run.run_id for run in runs[:5])
    assert f'  split.name: "random" in {five} and 1 more; "temporal" in {runs[-1].run_id}' in lines
    assert any(line.startswith('  split.fingerprint: "s1" in') for line in lines)
    assert any(line.startswith('  budget: "(missing)" in') and f"20 in {runs[-1].run_id}" in line for line in lines)
    assert not any("data.name" in line or "candidates" in line for line in lines)
    most = ",".join(run.run_id for run in runs[:6])
    assert lines[-1] == f"Select runs of one protocol, as in select=[{most}]."


def test_runs_of_one_protocol_are_selected_by_the_options_of_most_runs(store, monkeypatch):
    other = {**PROTOCOL, "data": {"name": "shop", "fingerprint": "d2"}}
    choices = {"data": "shop", "encoder": "bert", "ranker": "mlp"}
    runs = [*small_study(store), made_run(store, "bert", "mlp", 0, [1, 1], protocol=other, choices=choices)]
    with pytest.raises(ComparisonError, match=r"as in select=\[data:toy\]\.$"):
        compare(runs, store, None, ["ndcg@10"])
    opened = [SimpleNamespace(record=run, folder=store.folder(run.run_id)) for run in runs]
    monkeypatch.setattr(comparing, "open_run", lambda number: opened[int(number)])
    with pytest.raises(ComparisonError, match=r"one protocol, as in recsys\.compare\(\[run, other\]\)\.$"):
        recsys.compare(map(str, range(len(runs))))


@pytest.mark.parametrize(("baseline", "is_named"), [("populrity", True), ("popularity", False), (None, False)])
def test_a_misspelt_baseline_is_named_beside_other_errors(store, baseline, is_named):
    with pytest.raises(ComparisonError, match="compared cells need the same seeds") as refusal:
        compare(small_study(store)[:-1], store, baseline, ["ndcg@10"])
    end = "\nMoreover, baseline 'populrity' is none of the cells; give one of "
    assert (end in str(refusal.value)) == is_named
    assert str(refusal.value).endswith("or null; did you mean popularity?") == is_named


def test_missing_seeds_are_refused_with_the_command_that_makes_them(store):
    runs = small_study(store)[:-1]
    runs.append(made_run(store, "tfidf", "dot", 2, [1, 1, 1, 1]))
    with pytest.raises(ComparisonError) as refusal:
        compare(runs, store, None, ["ndcg@10"])
    text = str(refusal.value)
    assert "popularity lacks seed 1, 2: recsys train encoder=none ranker=popularity seed=1,2 -m" in text
    assert "bert+dot lacks seed 2: recsys train encoder=bert ranker=dot seed=2\n" in text
    assert "tfidf" not in text


@pytest.mark.parametrize("changed", [{"users": ["u0", "u1", "u2", "x"]}, {"history": [1, 2, 3, 9]}])
def test_different_queries_are_refused(store, changed):
    runs = [
        made_run(store, "bert", "dot", 0, [0, 1, 0, 1]),
        made_run(store, "tfidf", "dot", 0, [0, 1, 0, 1], **changed),
    ]
    with pytest.raises(ComparisonError, match=f"{runs[1].run_id} differ from {runs[0].run_id}"):
        compare(runs, store, None, ["ndcg@10"])


def test_a_metric_that_is_not_defined_on_the_same_queries_is_refused(store):
    runs = [made_run(store, "bert", "dot", 0, [0, 1, 0]), made_run(store, "tfidf", "dot", 0, [0, np.nan, 1])]
    with pytest.raises(ComparisonError, match=f"ndcg@10 is not defined on the same queries .*{runs[1].run_id}"):
        compare(runs, store, None, ["ndcg@10"])
    nowhere = made_run(store, "gpt2", "dot", 0, [0.0, 0.0])
    frame = store.per_user(nowhere.run_id).with_columns(pl.lit(np.nan).alias("ndcg@10"))
    store.save(nowhere, frame)
    with pytest.raises(ComparisonError, match="not defined for any query"):
        compare([nowhere], store, None, ["ndcg@10"])


def test_a_failed_run_is_listed_and_takes_its_cell_along(store):
    runs = [*small_study(store)[:-1], failed_run(store, "none", "popularity", 1), failed_run(store, "gpt2", "dot", 0)]
    found = compare(runs, store, None, ["ndcg@10"])
    assert [row.label for row in found.rows] == ["bert+dot", "tfidf+dot"]
    assert [(run.name, run.seed) for run in found.failures] == [("popularity", 1), ("gpt2+dot", 0)]
    assert found.left_out == ["popularity"]


def test_a_failure_on_a_seed_that_nobody_compares_leaves_the_cell_in(store):
    found = compare([*small_study(store), failed_run(store, "bert", "dot", 7)], store, None, ["ndcg@10"])
    assert found.left_out == []
    assert len(found.rows) == 3


def test_nothing_to_compare_is_refused(store):
    with pytest.raises(ComparisonError, match="failed runs: 1"):
        compare([failed_run(store, "gpt2", "dot", 0)], store, None, ["ndcg@10"])
    runs = small_study(store)
    with pytest.raises(ComparisonError, match=r"'ndgc@10'.*it has ndcg@10, recall@10, coverage@10, val/ndcg@10"):
        compare(runs, store, None, ["ndgc@10"])
    with pytest.raises(ComparisonError, match="no metric to show"):
        compare(runs, store, None, [])
    with pytest.raises(ComparisonError, match="1 user"):
        compare([made_run(store, "bert", "dot", 0, [0.5])], store, None, ["ndcg@10"])


def test_a_run_that_comes_twice_counts_once(store):
    runs = small_study(store)
    found = compare([*runs, *runs], store, None, ["ndcg@10"])
    assert [row.cell.seeds for row in found.rows] == [(0, 1)] * 3


SHA = "53aa51172d142c89d9012cce15ae4d6c"
OTHER = "0fb3e1a92c7d4f50b6f1a2c3d4e5f607"


def weights(sha256, **more):
    return {"encoder_content": {"encoder": "concat", "parts": [{"weights": "/models/a", "sha256": sha256}], **more}}


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        ({"code": {"my.ranker": SHA}}, {"code": {"my.ranker": OTHER}}, "code of my.ranker"),
        ({"code": {"recsys": "0.1.0"}}, {"code": {"recsys": "0.2.0"}}, "code of recsys"),
        ({"contents": weights(SHA)}, {"contents": weights(OTHER)}, "content of the weights /models/a"),
        (
            {"contents": {"language_model_content": {"weights": "/models/a", "sha256": SHA}}},
            {"contents": {"language_model_content": {"weights": "/models/a", "sha256": OTHER}}},
            "content of the weights /models/a",
        ),
        (
            {"contents": {"encoder_content": {"encoder": "mine", "table": "1"}}},
            {"contents": {"encoder_content": {"encoder": "mine", "table": "2"}}},
            "identity of the encoder bert",
        ),
        ({"versions": {"torch": "1.13.1"}}, {"versions": {"torch": "2.4.0+cpu"}}, "major version of torch"),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_one_name_with_two_contents_is_refused_with_its_runs(store, first, second, line, seed):
    one = made_run(store, "bert", "dot", 0, [0, 1, 0, 1], run_id="one", **first)
    two = made_run(store, "bert", "dot", seed, [0, 1, 0, 1], run_id="two", **second)
    with pytest.raises(ComparisonError) as refusal:
        compare([one, two], store, None, ["ndcg@10"])
    found = next(text for text in str(refusal.value).splitlines() if text.startswith(f"  {line}"))
    assert "in one; " in found
    assert found.endswith("in two")


def test_other_components_releases_of_torch_and_unknown_code_are_compared(store):
    values = [0, 1, 0, 1]
    runs = [
        made_run(store, "bert", "dot", 0, values, code={"my.a": SHA}, contents=weights(SHA)),
        made_run(store, "gpt2", "dot", 0, values, code={"my.b": OTHER}, versions={"torch": "2.1.0"}),
        made_run(store, "tfidf", "dot", 0, values, versions={"torch": "2.9.1"}),
    ]
    assert len(compare(runs, store, None, ["ndcg@10"]).rows) == 3


def test_two_runs_of_one_cell_and_seed_are_refused(store):
    runs = [made_run(store, "bert", "dot", 0, [0, 1, 0, 1], run_id=name) for name in ("one", "two")]
    with pytest.raises(ComparisonError, match=r"several runs of one seed:\n  bert\+dot, seed 0: one, two\n"):
        compare(runs, store, None, ["ndcg@10"])


def test_uncommitted_changes_are_warned_of(store):
    runs = small_study(store)[:4]
    (few_users,) = compare(runs, store, None, ["ndcg@10"]).warnings
    runs[0] = made_run(store, "bert", "dot", 0, [1.0, 0.5, 0.5, 0.5], git={"commit": "a", "dirty": True})
    runs[1] = made_run(store, "bert", "dot", 1, [1.0, 1.0, 0.5, 0.0], git={"commit": "a", "dirty": False})
    warning, *others = compare(runs, store, None, ["ndcg@10"]).warnings
    assert others == [few_users]
    assert f"1 of 4 runs were made with uncommitted changes of recsys ({runs[0].run_id})" in warning
