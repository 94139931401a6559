"""What a search may change in a cell."""

from __future__ import annotations

import pytest

import recsys
from recsys.schema import ConfigError
from recsys.studies.cell_space import CellSpace


def space_of(*overrides, further=None):
    return CellSpace(overrides, lambda more: recsys.compose([*overrides, *more]), further)


def test_a_loss_brings_its_negatives_and_their_number_is_searched_only_where_it_draws_some():
    space = space_of("encoder=tfidf")
    assert space.groups == {"loss": {"choice": ["sampled_softmax", "full_softmax"]}}
    assert "negatives.n_negatives" in space.given({"loss": "sampled_softmax"})
    assert "negatives.n_negatives" not in space.given({"loss": "full_softmax"})
    assert "negatives.n_negatives" in space.keys


def test_a_key_that_the_cell_sets_is_not_searched():
    space = space_of("features.dim=16", "learning_rate=0.00001", "loss=bpr")
    assert not {"features.dim", "optimizer.lr", "loss"} & set(space.keys)
    assert space.left_out == {
        "loss": "loss=bpr",
        "features.dim": "features.dim=16",
        "optimizer.lr": "learning_rate=0.00001",
    }


def test_an_option_of_a_group_leaves_its_keys_open():
    space = space_of("encoder=bert", "loss=sampled_softmax", "optimizer=adam")
    assert {"encoder.pooling", "negatives.n_negatives", "optimizer.lr"} <= set(space.keys)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["negatives=popularity"], "negatives=popularity"),  # which full_softmax would change
        (["negatives.n_negatives=4"], "sampled_softmax is its only option that fits the cell"),
        (["ranker=two_tower"], "sampled_softmax is its only option that fits the cell"),
    ],
)
def test_a_loss_that_does_not_go_with_the_cell_is_not_searched(overrides, reason):
    space = space_of(*overrides)
    assert space.groups == {}
    assert space.left_out["loss"] == reason


def test_a_study_adds_options_and_takes_keys_out():
    further = {"loss": {"choice": ["bpr", "full_softmax"]}, "features.dim": None, "batches.batch_size": {"choice": [8]}}
    space = space_of("encoder=tfidf", further=further)
    assert [options["loss"] for options in space.options()] == ["bpr", "full_softmax"]
    assert "features.dim" not in space.keys
    assert space.taken_out == {"features.dim"}
    assert space.given({"loss": "bpr"})["batches.batch_size"] == {"choice": [8]}


def test_two_searched_keys_that_decide_one_value_are_refused():
    with pytest.raises(ConfigError, match=r"has learning_rate and optimizer.lr, which takes its value from"):
        space_of("encoder=tfidf", further={"learning_rate": {"low": 0.1, "high": 0.2}})
