"""The batches that each stage gets from the data module."""

from types import SimpleNamespace

import pytest

from recsys.training import datamodule
from recsys.training.datamodule import RecommenderDataModule
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
    made.trainer = SimpleNamespace(global_rank=2, world_size=3, current_epoch=7)
    assert (made._epoch(), made._share()) == (7, (2, 3))


def test_batches_come_one_by_one_where_a_callback_watches_steps(made, monkeypatch):
    made.steps_at_once = 8
    assert made._steps_at_once() == 8
    monkeypatch.setattr(datamodule, watches_steps.__name__, lambda callback: callback == "watches")
    made.trainer = SimpleNamespace(callbacks=["other"])
    assert made._steps_at_once() == 8
    made.trainer = SimpleNamespace(callbacks=["other", "watches"])
    assert made._steps_at_once() == 1
