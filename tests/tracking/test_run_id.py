from __future__ import annotations

import math

import pytest

from recsys import schema
from recsys.tracking.record import Record
from recsys.tracking.run_id import cell_id, cell_of, influential, run_id, targets

CONFIG = {
    "seed": 0,
    "learning_rate": 1e-3,
    "encoder": {"_target_": "a.Bert", "pooling": "mean", "search": {"pooling": ["mean", "cls"]}},
    "callbacks": {"early_stopping": {"patience": 3}, "checkpoint": {"dirpath": "/a/checkpoints", "mode": "max"}},
    "trainer": {"max_epochs": 20, "enable_progress_bar": True},
    "paths": {"runs_dir": "/a"},
    "tags": [],
}


def changed(dotted: str, value: object) -> dict:
    *nodes, last = dotted.split(".")
    config = {key: dict(inner) if isinstance(inner, dict) else inner for key, inner in CONFIG.items()}
    target = config
    for node in nodes:
        target[node] = dict(target.get(node, {}))
        target = target[node]
    target[last] = value
    return config


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("learning_rate", 2e-3),
        ("encoder.pooling", "cls"),
        ("encoder.new", 1),
        ("callbacks.early_stopping.patience", 4),
        ("trainer.max_epochs", 21),
        ("trainer.max_epochs", 20.0),  # a number's type may change its meaning
        ("trainer.deterministic", True),
    ],
)
def test_what_moves_results_is_another_run(key, value):
    assert run_id(changed(key, value), "data") != run_id(CONFIG, "data")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", 0.001),
        ("encoder.search", {"pooling": ["cls"]}),
        ("encoder.traits", {"text": True}),
        ("callbacks.checkpoint.dirpath", "/b"),
        ("callbacks.progress_bar", {"refresh_rate": 1}),
        ("trainer.enable_progress_bar", False),
        ("paths.runs_dir", "/b"),
        ("paths.new", "/b"),
        ("logger", {"wandb": {}}),
        ("tags", ["demo"]),
        ("data", {"folder": "/elsewhere"}),
        ("choices", {"trainer": "cpu"}),
        ("overrides", ["seed=0"]),
    ],
)
def test_what_does_not_move_results_is_the_same_run(key, value):
    assert run_id(changed(key, value), "data") == run_id(CONFIG, "data")


def test_order_of_keys_does_not_matter():
    assert run_id(dict(reversed(CONFIG.items())), "data") == run_id(CONFIG, "data")


def test_data_and_the_version_of_results_matter(monkeypatch):
    before = run_id(CONFIG, "data")
    assert len(before) == 12
    assert before != run_id(CONFIG, "other data")
    monkeypatch.setattr(schema, "RESULTS_VERSION", schema.RESULTS_VERSION + 1)
    assert before != run_id(CONFIG, "data")


def test_an_id_is_never_read_as_a_number():
    ids = [run_id({"seed": seed}, "data") for seed in range(2000)]
    assert len(set(ids)) == 2000
    assert all(name[0] in "abcdef" and len(name) == 12 and int(name, 16) for name in ids)


def test_a_cell_is_a_run_without_its_seed():
    assert cell_id(changed("seed", 7)) == cell_id(CONFIG)
    assert cell_id(changed("encoder.seed", 7)) != cell_id(CONFIG)


def test_a_pattern_hides_its_node_and_nothing_that_only_begins_like_it():
    kept = influential({"paths": {"a": {"b": 1}}, "paths_of": 2, "study": None, "studying": 3})
    assert kept == {"paths_of": 2, "studying": 3}


def test_code_and_contents_make_other_runs_and_other_cells():
    for name in ("code", "contents"):
        changes = [{name: {"a": "1"}}, {name: {"a": "2"}}, {name: {"b": "1"}}, {}]
        assert len({run_id(CONFIG, "data", **change) for change in changes}) == 4
        assert len({cell_id(CONFIG, **change) for change in changes}) == 4
    # A module's name is no config key: one that is called like an excluded key counts.
    assert cell_id(CONFIG, {"own.search": "1"}) != cell_id(CONFIG, {"own.search": "2"})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_neither_null_nor_another(value, tmp_path):
    others = {None, math.nan, math.inf, -math.inf} - {value}
    assert run_id(changed("learning_rate", value), "data") not in {
        run_id(changed("learning_rate", other), "data") for other in others
    }
    record = Record("a1", "cf", {}, changed("learning_rate", value), [], 0, {})
    record.write(tmp_path / "record.json")
    found = Record.read(tmp_path / "record.json")
    assert cell_of(found) == cell_of(record) != cell_id(changed("learning_rate", None))
    assert repr(found.config["learning_rate"]) == repr(value)


def test_targets_are_found_wherever_they_are():
    config = {
        "encoder": {"_target_": "a.Encoder", "parts": {"b": {"_target_": "a.Part"}}, "search": {"_target_": "x.No"}},
        "callbacks": {"all": [{"_target_": "a.Callback", "inner": [{"_target_": "a.Inner"}]}]},
        "loss": {"_target_": "hydra.utils.get_method", "path": "a.loss"},
        "data": {"_target_": "x.No", "path": "y.No"},
        "profile": {"_target_": None},
    }
    assert targets(config) == ["a.Callback", "a.Encoder", "a.Inner", "a.Part", "a.loss"]
