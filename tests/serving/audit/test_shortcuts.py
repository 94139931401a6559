import shlex
from dataclasses import replace

import pytest

from recsys.config.compose import compose, plain
from recsys.serving.audit.shortcuts import shortcuts
from recsys.tracking.audit_findings import IS_MEASURED, IS_NOT_CHECKED
from recsys.tracking.record import Record


def record(ranker, value, encoder="tfidf", overrides=(), split="temporal"):
    choices, protocol = {"ranker": ranker, "encoder": encoder}, {"monitor": "val/ndcg@10", "split": split}
    return Record("a", ranker, choices, {}, list(overrides), 3, protocol, metrics={"test/ndcg@10": value})


def test_floors_of_the_same_protocol_are_beside_the_run():
    own = record("mlp", 0.2)
    store = [own, record("popularity", 0.1), record("popularity", 0.2), record("popularity", 0.9, split="random")]
    found = shortcuts(own, store)
    assert [each.status for each in found] == [IS_MEASURED, IS_NOT_CHECKED, IS_NOT_CHECKED]
    assert found[0].numbers == {"floor": pytest.approx(0.15), "run": 0.2, "n_runs": 2}
    assert "75%" in found[0].text


@pytest.mark.slow
def test_neighbours_by_ids_are_no_floor_by_text():
    own = record("mlp", 0.2)
    assert shortcuts(own, [record("itemknn", 0.1, encoder="none")])[2].status == IS_NOT_CHECKED
    assert shortcuts(own, [record("itemknn", 0.1)])[2].status == IS_MEASURED


def test_a_failed_run_is_no_floor():
    failed = replace(record("popularity", 0.1), status="failed")
    assert shortcuts(record("mlp", 0.2), [failed])[0].status == IS_NOT_CHECKED


def test_the_command_of_a_floor_has_the_protocol_and_nothing_else_of_the_run():
    overrides = [
        "data.path=/a b",
        "split=random",
        "ranker=mlp",
        "encoder=bert",
        "trainer.limit_test_batches=1",
        "seed=3",
    ]
    found = shortcuts(record("mlp", 0.2, overrides=overrides), [])
    expected = "recsys train 'data.path=/a b' split=random trainer.limit_test_batches=1 ranker="
    assert found[0].command.endswith(f"{expected}popularity seed=3")
    assert found[2].command.endswith(f"{expected}itemknn encoder=tfidf seed=3")


def test_the_command_of_a_floor_has_the_data_that_an_experiment_chose():
    cfg = compose(["experiment=mind", "data.path=/mind", "ranker=dot", "batches.batch_size=7"])
    settings, choices = plain(cfg), dict(cfg.choices)
    own = Record("a", "dot", choices, settings, list(cfg.overrides), 3, {"monitor": "val/ndcg@10"})
    words = shlex.split(shortcuts(own, [])[0].command)[2:]
    made = compose(words)
    assert {"data=mind", "split=given", "metrics=impressions", "data.path=/mind"} <= set(words)
    assert not any(word.startswith("batches.") for word in words)
    assert made.choices.ranker == "popularity"
    for key in ("data", "split", "metrics", "monitor", "test_knowledge"):
        assert plain(made)[key] == settings[key]


def test_the_command_of_a_floor_has_the_values_that_an_experiment_set():
    cfg = compose(["split.seed=7", "split.test_share=0.25"])
    choices = dict(cfg.choices)
    own = Record("a", "dot", choices, plain(cfg), ["experiment=of_another_folder"], 3, {"monitor": "val/ndcg@10"})
    assert plain(compose(shlex.split(shortcuts(own, [])[0].command)[2:]))["split"] == plain(cfg)["split"]
