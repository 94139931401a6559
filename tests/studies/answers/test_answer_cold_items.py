"""The second study, of cold items, with parameters of another split; impossible studies fail in the dry run."""

from __future__ import annotations

import pytest
from rich.console import Console

from recsys.config.compose import compose
from recsys.schema import ConfigError
from recsys.studies.answers import answering
from recsys.studies.answers.answer_request import request
from recsys.studies.answers.answering import make_answer
from recsys.studies.answers.candidates import FLOOR, LANGUAGE_MODEL, Candidate, Group

SMALL = ["data=synthetic", "data.n_users=60", "data.n_items=60", "data.n_interactions=800", "encoder=tfidf"]
SPLIT = ["split=temporal", "split.test_from=0.8", "split.validation_from=0.7", "split.seed=3"]
CELLS = [
    Candidate("popularity", FLOOR, ["ranker=popularity"]),
    Candidate("tfidf+ease", LANGUAGE_MODEL, ["encoder=tfidf", "ranker=ease"]),
]


@pytest.fixture(autouse=True)
def few_cells(monkeypatch):
    monkeypatch.setattr(answering, "groups", lambda *_, **__: [Group("basis", CELLS)])


def dry(tmp_path, *overrides: str) -> str:
    """What a dry run shows."""
    shown: list[str] = []
    paths = [f"paths.runs_dir={tmp_path / 'runs'}", f"paths.cache_dir={tmp_path / 'cache'}"]
    cfg = compose([*SMALL, *overrides, *paths, "dry_run=true"], "answer")
    assert (
        make_answer(
            cfg, lambda each: shown.append(each if isinstance(each, str) else str(each.title)), Console(quiet=True)
        )
        is None
    )
    assert not list(tmp_path.glob("runs/*/record.json"))
    return "\n".join(shown)


def test_the_study_of_cold_items_leaves_out_parameters_that_its_split_lacks():
    asked = request(compose([*SMALL, *SPLIT], "answer"))
    assert asked.left_out("cold_items") == SPLIT[1:3]
    assert asked.overrides("cold_items") == [*SMALL[:4], SPLIT[3], "split=cold_items"]
    assert asked.run_cfg("cold_items").split.seed == 3
    assert asked.overrides("temporal") == [*SMALL[:4], *SPLIT[1:], "split=temporal"]


def test_parameters_of_the_commands_own_split_are_not_left_out():
    asked = request(compose([*SMALL, "split=cold_items", "split.test_share=0.3"], "answer"))
    assert asked.left_out("cold_items") == []


def test_a_dry_run_plans_both_studies_and_shows_what_is_left_out(tmp_path):
    shown = dry(tmp_path, *SPLIT, "cold_items=true")
    assert "It is without split.test_from, split.validation_from, which split=cold_items lacks." in shown
    assert "study answer_synthetic_cold_items" in shown


def test_an_impossible_study_of_cold_items_fails_in_the_dry_run(tmp_path):
    common = 'common=["split.test_from=0.8","split.validation_from=0.7"]'
    with pytest.raises(ConfigError, match=r"cold_items=true: split\.test_from is an unknown key.*cold_items=false"):
        dry(tmp_path, "split=temporal", common, "cold_items=true")


def test_an_impossible_cell_fails_in_the_dry_run(tmp_path):
    with pytest.raises(ConfigError, match=r"ranker=popularity is fitted without gradients.*optimizer=sgd"):
        dry(tmp_path, "split=random", "cold_items=false", 'common=["optimizer=sgd"]')
