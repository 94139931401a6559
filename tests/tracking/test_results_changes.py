"""Changes that move the results of some configurations: their runs are made again, the others are found."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from recsys import compose
from recsys.config.compose import plain
from recsys.experiment.inputs import load_split
from recsys.experiment.run_identity import identify
from recsys.reports.cells import check_identity
from recsys.schema import ComparisonError
from recsys.tracking import results_changes
from recsys.tracking.record import Record
from recsys.tracking.results_changes import CHANGES, code_of_changes

CONF = Path(__file__).parents[2] / "conf"
MOVED = {"moved": {"batches.train_history": ("others",), "profile._target_": ("*.recurrent.*", "*.hstu.*")}}


@pytest.fixture
def moved(monkeypatch):
    monkeypatch.setattr(results_changes, "CHANGES", MOVED)


def config(history: str, target: str) -> dict:
    return {"batches": {"train_history": history}, "profile": {"_target_": target}}


def record(run_id: str, settings: dict, code: dict) -> Record:
    """A run's record, with its settings and code alone."""
    given = {"choices": {}, "overrides": [], "seed": 0, "protocol": {}}
    return Record(run_id, name=run_id, config=settings, code={"recsys": "1", **code}, **given)


@pytest.mark.parametrize(
    ("history", "target", "is_moved"),
    [
        ("others", "recsys.profiles.recurrent.GRU", True),
        ("others", "recsys.profiles.hstu.HSTU", True),
        ("sequence", "recsys.profiles.hstu.HSTU", False),
        ("others", "recsys.profiles.mean.Mean", False),
    ],
)
def test_all_keys_must_have_a_value_that_moved(moved, history, target, is_moved):
    assert bool(code_of_changes(config(history, target))) == is_moved
    assert not code_of_changes({"profile": None})


def test_a_text_encoder_is_one_that_is_chosen():
    assert code_of_changes(plain(compose(["encoder=tfidf", "ranker=ease"])))
    assert not code_of_changes(plain(compose(["ranker=ease"])))
    assert not code_of_changes(plain(compose(["encoder=tfidf", "ranker=cf"])))


def test_only_moved_configurations_get_another_id(monkeypatch):
    overrides = [["encoder=none", "ranker=cf"], ["ranker=popularity"]]
    load_split(compose(overrides[0]))  # a run has no id before its data was read
    monkeypatch.setattr(results_changes, "CHANGES", {})
    before = [identify(compose(each)) for each in overrides]
    monkeypatch.setattr(results_changes, "CHANGES", {"moved": {"ranker._target_": ("recsys.rankers.cf.*",)}})
    after = [identify(compose(each)) for each in overrides]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_runs_from_before_and_after_a_change_are_not_compared(moved):
    settings = config("others", "recsys.profiles.hstu.HSTU")
    old, new = record("old", settings, {}), record("new", settings, code_of_changes(settings))
    other = record("other", config("others", "x.Mean"), {})
    check_identity([old, other])
    check_identity([new, other])
    with pytest.raises(ComparisonError, match='code of recsys, moved: "before" in old; "after" in new'):
        check_identity([old, new, other])


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_names_keys_and_modules_that_exist(name):
    """A misspelt key or module would leave wrong runs in place."""
    for key, patterns in CHANGES[name].items():
        group, _, rest = key.partition(".")
        files = [OmegaConf.load(file) for file in (CONF / group).glob("*.yaml")] or [compose()[group]]
        options = {str(OmegaConf.select(own, rest)) for own in files}
        for pattern in patterns:
            assert any(fnmatchcase(option, pattern.removeprefix("!")) for option in options), pattern


def test_low_ratings_move_results_only_with_an_end_of_the_test():
    cuts = {"test_from": 0.7, "validation_from": 0.6, "test_until": None, "min_rating": None}
    table = {"interactions": {"min_rating": 3}}
    assert not code_of_changes({"split": {**cuts, "min_rating": 3}, "data": table})
    assert not code_of_changes({"split": {**cuts, "test_until": 0.9}, "data": {"interactions": {"min_rating": None}}})
    assert code_of_changes({"split": {**cuts, "test_until": 0.9, "min_rating": 3}})
    assert code_of_changes({"split": {**cuts, "test_until": 0.9}, "data": table})
