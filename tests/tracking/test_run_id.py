from __future__ import annotations

import pytest

from recsys import schema
from recsys.tracking.run_id import cell_id, influential, run_id

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
