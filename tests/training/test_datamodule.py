"""The batches that each stage gets from the data module."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf

from recsys.schema import ConfigError
from recsys.training import datamodule
from recsys.training.datamodule import RecommenderDataModule, check_batches
from recsys.training.step_batching import watches_steps


@pytest.fixture
def made(monkeypatch):
    """A data module of 10 items whose batches are the arguments that they would be made of."""
    split = SimpleNamespace(dataset=SimpleNamespace(n_items=10, name="made"))
    monkeypatch.setattr(datamodule, "has_impressions", lambda split: False)
    monkeypatch.setattr(datamodule, "stage_queries", lambda split, stage: f"queries of {stage}")
    monkeypatch.setattr(datamodule, "EvaluationBatches", lambda *given: given)
    texts = SimpleNamespace(stage=lambda stage: f"texts of {stage}")
    return RecommenderDataModule(split, lambda longest: longest + 1, 0, max_history=4, max_scores=25, texts=texts)


def test_each_stage_has_its_own_queries_and_texts_in_chunks_within_the_bound_of_scores(made):
    assert made.val_dataloader() == ("queries of val", 2, 5, 0, 1, "texts of val")
    assert made.test_dataloader() == ("queries of test", 2, 5, 0, 1, "texts of test")


def test_a_chunk_has_at_least_one_query(made):
    made.max_scores = 3
    assert made.val_dataloader()[1] == 1


def test_epoch_and_share_are_those_of_the_trainer(made):
    assert made._epoch() == 0
    made.trainer = SimpleNamespace(global_rank=2, world_size=3, current_epoch=7, overfit_batches=0.0)
    assert (made._epoch(), made._share()) == (7, (2, 3))


def test_a_trainer_that_overfits_batches_gets_the_same_ones_in_each_epoch(made):
    made.trainer = SimpleNamespace(current_epoch=7, overfit_batches=1)
    assert made._epoch() == 0


@pytest.mark.parametrize(("stage", "key"), [("test", "limit_test_batches"), ("val", "limit_val_batches")])
def test_a_share_that_leaves_no_batch_is_an_error_with_the_number_of_batches(made, monkeypatch, stage, key):
    monkeypatch.setattr(datamodule, "stage_queries", lambda split, stage: [0] * 5)  # 3 batches of 2 queries
    for enough in (0.34, 1.0, 1, None, 0.0):
        made.check_limits({key: enough}, [stage])
    made.check_limits({key: 0.3}, ["other"])
    with pytest.raises(ConfigError, match=rf"trainer\.{key} is 0\.3, a share of 3 batches, .*batches\.max_scores"):
        made.check_limits({key: 0.3}, [stage])


def test_a_share_that_leaves_no_training_batch_is_an_error(made, monkeypatch):
    monkeypatch.setattr(made, "train_dataloader", lambda: [0])
    with pytest.raises(ConfigError, match=r"limit_train_batches is 0\.1, a share of 1 batch, .*batches\.batch_size"):
        made.check_limits({"limit_train_batches": 0.1}, ["train"])


def test_batches_come_one_by_one_where_a_callback_watches_steps(made, monkeypatch):
    made.steps_at_once = 8
    assert made._steps_at_once() == 8
    monkeypatch.setattr(datamodule, watches_steps.__name__, lambda callback: callback == "watches")
    made.trainer = SimpleNamespace(callbacks=["other"])
    assert made._steps_at_once() == 8
    made.trainer = SimpleNamespace(callbacks=["other", "watches"])
    assert made._steps_at_once() == 1


@pytest.mark.parametrize(
    ("settings", "made_of"),
    [
        ({}, ("examples", 6, 5, "others", "texts of train")),
        ({"train_history": "before", "texts": None}, ("examples", 6, 5, "before", None)),
        ({"train_history": "sequence", "mask_share": 0.2}, ("train lists", 6, 5, 0.2)),
        ({"train_history": "sequence", "whole_users": True}, ("train lists", 6)),
    ],
)
def test_training_batches_are_those_of_the_settings(made, monkeypatch, settings, made_of):
    monkeypatch.setattr(datamodule, "train_examples", lambda split: "examples")
    monkeypatch.setattr(datamodule, "histories", lambda split, stage: f"{stage} lists")
    for name in ("TrainBatches", "SequenceBatches", "WholeUserBatches"):
        monkeypatch.setattr(datamodule, name, lambda *given: given)
    texts = SimpleNamespace(train="texts of train")
    given = {"texts": texts, "batch_size": 6, "max_history": 4, "steps_at_once": 8} | settings
    module = RecommenderDataModule(made.split, lambda longest: longest + 1, 3, **given)
    order = (3, module._epoch, 0, 1, 8)
    assert module.train_dataloader() == (*made_of, *order)


@pytest.mark.parametrize(
    ("lengths", "chunk"),
    [([2, 5], 5), ([1, 1], 25), ([0, 0], 25), ([], 2)],  # of 25 scores; without a query, of all 10 items
)
def test_a_chunk_of_impressions_is_within_the_bound_for_the_longest_list(made, monkeypatch, lengths, chunk):
    monkeypatch.setattr(datamodule, "has_impressions", lambda split: True)

    class Shown(list):
        candidates = SimpleNamespace(lengths=np.array(lengths))

    monkeypatch.setattr(datamodule, "stage_queries", lambda split, stage: Shown(lengths))
    assert made.val_dataloader()[1] == chunk


def test_sequences_of_impressions_are_an_error(made, monkeypatch):
    monkeypatch.setattr(datamodule, "has_impressions", lambda split: True)
    with pytest.raises(ConfigError, match="each of its impressions has a history"):
        RecommenderDataModule(made.split, int, 0, train_history="sequence")
    RecommenderDataModule(made.split, int, 0)


@pytest.mark.parametrize("place", range(5))
def test_an_impossible_value_of_batches_is_an_error_that_names_its_key(place):
    keys = ("batch_size", "max_history", "train_history", "max_scores", "examples_per_loop_step")
    least, below = (1, 1, "before", 1, 0), (0, 0, "after", 0, -1)
    check_batches(*least)
    with pytest.raises(ConfigError, match=rf"batches\.{keys[place]}"):
        check_batches(*least[:place], below[place], *least[place + 1 :])


@pytest.mark.parametrize("key", ["batch_size", "max_history", "max_scores"])
def test_settings_are_checked_by_name_when_the_module_is_made(made, key):
    with pytest.raises(ConfigError, match=rf"batches\.{key}"):
        RecommenderDataModule(made.split, int, 0, **{key: 0})


def test_defaults_are_those_of_the_yaml_and_a_step_at_once():
    parameters = inspect.signature(RecommenderDataModule).parameters
    defaults = OmegaConf.load(Path(__file__).parents[2] / "conf" / "train.yaml").batches
    shared = defaults.keys() & parameters.keys()
    assert shared == {"batch_size", "max_history", "train_history", "max_scores"}
    assert {key: parameters[key].default for key in shared} == {key: defaults[key] for key in shared}
    assert parameters["steps_at_once"].default == 1
    assert parameters["whole_users"].default is False
