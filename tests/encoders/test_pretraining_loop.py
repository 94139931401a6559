"""Pretraining that was killed, stops early, or goes on from weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from encoders.test_pretraining import CATALOGUE, ENCODERS, TINY, fitted, make, weights
from encoders.tiny_models import bert_folder, gpt2_folder
from full import only_full

from recsys.encoders import pretraining_loop
from recsys.encoders.bert import BertEncoder
from recsys.encoders.gpt2 import GPT2Encoder
from recsys.encoders.pretraining_loop import PretrainingProgress, hold_out
from recsys.schema import ConfigError


class Killed(Exception):
    pass


def kill_in_epoch(monkeypatch, number: int) -> None:
    """End the process's work in the middle of an epoch, counted from 0."""
    whole = pretraining_loop._Descent._epoch

    def epoch(self, current):
        if current == number:
            self.epochs[current] = self.epochs[current][:3]
            whole(self, current)
            raise Killed
        whole(self, current)

    monkeypatch.setattr(pretraining_loop._Descent, "_epoch", epoch)


CASES = [(kind, patience) for kind in ENCODERS for patience in (None, 3)]
SAME_WAY = [(kind, None) for kind in ENCODERS[1:]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "patience"),
    [pytest.param(*case, marks=only_full) if case in SAME_WAY else case for case in CASES],
    ids=lambda given: getattr(given, "architecture", str(given)),
)
def test_killed_and_resumed_equals_never_killed(kind, patience, tmp_path, monkeypatch):
    settings = {"epochs": 3, "patience": patience}
    whole = fitted(make(kind, **settings), tmp_path / "whole")
    with monkeypatch.context() as patch:
        kill_in_epoch(patch, 2)
        with pytest.raises(Killed):
            fitted(make(kind, **settings), tmp_path / "killed")
    done = []
    epoch = pretraining_loop._Descent._epoch
    counted = lambda self, number: (done.append(number), epoch(self, number))  # noqa: E731
    monkeypatch.setattr(pretraining_loop._Descent, "_epoch", counted)
    resumed = fitted(make(kind, **settings), tmp_path / "killed")
    assert done == [2]
    pooler = "pooler."  # not trained, not used
    assert all(torch.equal(weights(whole)[k], weights(resumed)[k]) for k in weights(whole) if pooler not in k)
    assert whole.pretraining_report | {"seconds": 0} == resumed.pretraining_report | {"seconds": 0}
    assert not list((tmp_path / "killed" / "pretrained").glob("*.state"))


def test_a_damaged_state_is_not_gone_on_from(tmp_path, monkeypatch, caplog):
    whole = fitted(make(GPT2Encoder, epochs=2), tmp_path / "whole")
    with monkeypatch.context() as patch:
        kill_in_epoch(patch, 1)
        with pytest.raises(Killed):
            fitted(make(GPT2Encoder, epochs=2), tmp_path / "killed")
    (state,) = (tmp_path / "killed" / "pretrained").glob(".*.state")
    state.write_bytes(state.read_bytes()[:1000])
    again = fitted(make(GPT2Encoder, epochs=2), tmp_path / "killed")
    assert "is damaged" in caplog.text
    assert np.array_equal(whole.encode(CATALOGUE), again.encode(CATALOGUE))


@pytest.mark.parametrize(
    ("curve", "epoch", "over"),
    [([], 3, False), ([3.0, 2.0, 1.0], 3, False), ([3.0, 2.0, 2.5], 3, False), ([3.0, 2.0, 2.5, 2.0], 4, True),
     ([3.0], 9, True)],
)  # fmt: skip
def test_two_epochs_without_a_lower_loss_are_the_end(curve, epoch, over):
    assert PretrainingProgress(epoch, curve).is_over(9, patience=2) is over


@pytest.mark.slow
def test_the_weights_of_the_best_epoch_are_kept(tmp_path, monkeypatch):
    losses = iter([3.0, 1.0, 2.0, 2.0])
    true = pretraining_loop.held_out_loss
    monkeypatch.setattr(pretraining_loop, "held_out_loss", lambda *_: {"held_out_loss": next(losses, None)})
    stopped = make(GPT2Encoder, epochs=9, patience=2)
    one = fitted(stopped, tmp_path / "stopped")
    assert one.pretraining_report["held_out_curve"] == [3.0, 1.0, 2.0, 2.0]
    assert one.pretraining_report["n_steps"] == 4 * 12
    monkeypatch.setattr(pretraining_loop, "held_out_loss", true)
    after_two = []
    whole = pretraining_loop._Descent._epoch

    def epoch(self, number):
        whole(self, number)
        if number == 1:
            after_two.append({key: value.clone() for key, value in self.model.base_model.state_dict().items()})

    monkeypatch.setattr(pretraining_loop._Descent, "_epoch", epoch)
    fitted(make(GPT2Encoder, epochs=9), tmp_path / "other")
    assert all(torch.equal(weights(one)[key], after_two[0][key]) for key in weights(one))


@pytest.mark.slow
def test_a_lower_bound_of_the_perplexity_is_the_entropy_of_the_texts(tmp_path):
    """The catalogue has 4 draws in each text, of 5, 4, 3 and 4 words: ln 240 nats at least, over 9 words and an end."""
    report = fitted(make(GPT2Encoder, epochs=20, patience=3), tmp_path).pretraining_report
    total = report["held_out_loss"] * report["n_held_out_tokens"] / 48  # of a text
    assert total > math.log(240) - 0.5
    assert report["held_out_loss"] == min(report["held_out_curve"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "folder"), [(BertEncoder, bert_folder), (GPT2Encoder, gpt2_folder)], ids=["bert", "gpt2"]
)
def test_it_goes_on_from_weights_that_are_there(kind, folder, tmp_path):
    start = folder(tmp_path / "start")
    settings = {"epochs": 2, "batch_size": 16, "held_out_share": 0.2, "learning_rate": 1e-9}
    encoder = kind(str(start), max_length=16, pretraining=settings)
    place, report = encoder.pretrain(CATALOGUE, tmp_path)
    before, after = (kind(str(path), max_length=16) for path in (start, place))
    before.fit([], tmp_path), after.fit([], tmp_path)
    assert after.tokenizer.get_vocab() == before.tokenizer.get_vocab()
    np.testing.assert_allclose(after.encode(CATALOGUE), before.encode(CATALOGUE), atol=1e-4)  # hardly a step was made
    faster = kind(str(start), max_length=16, pretraining={**settings, "epochs": 4, "learning_rate": 1e-2})
    _, learnt = faster.pretrain(CATALOGUE, tmp_path)
    assert learnt["held_out_loss"] < report["held_out_loss"] - 0.5


@pytest.mark.slow
def test_what_was_pretrained_can_be_gone_on_from(tmp_path):
    first, report = make(GPT2Encoder, epochs=2).pretrain(CATALOGUE, tmp_path)
    settings = {"epochs": 1, "batch_size": 16, "held_out_share": 0.2, "learning_rate": 1e-9}
    _, again = GPT2Encoder(str(first), max_length=16, pretraining=settings).pretrain(CATALOGUE, tmp_path)
    assert again["held_out_loss"] == pytest.approx(report["held_out_loss"], abs=1e-4)  # head and all


def test_weights_of_another_kind_are_refused(tmp_path):
    folder = bert_folder(tmp_path / "bert")
    with pytest.raises(ConfigError, match=r"is bert, .*encoder=bert"):
        GPT2Encoder(str(folder), max_length=16).pretrain(CATALOGUE, tmp_path)


def test_texts_are_held_out_by_a_seeded_draw():
    texts = [str(number) for number in range(10)]
    train, held_out = hold_out(texts, 0.25, torch.Generator().manual_seed(0))
    assert (len(train), len(held_out)) == (7, 3)  # a quarter of ten, rounded up
    assert sorted(train + held_out) == texts
    assert hold_out(texts, 0.25, torch.Generator().manual_seed(0))[1] == held_out
    assert hold_out(texts, 0.25, torch.Generator().manual_seed(1))[1] != held_out


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"patience": 0}, "patience is 0"), ({"patience": 2, "held_out_share": 0.0}, "held_out_share is 0")],
)
def test_an_impossible_patience_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        GPT2Encoder(sizes=TINY, pretraining=settings)
