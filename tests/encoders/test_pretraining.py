from __future__ import annotations

import logging
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from encoders.tiny_models import WORDS

from recsys.encoders import pretraining
from recsys.encoders.bert import BertEncoder
from recsys.encoders.gpt2 import GPT2Encoder
from recsys.schema import ConfigError
from recsys.testing.encoder_contract import NotAgain

COLOURS, THINGS, TIMES, FEELINGS = WORDS[4:9], WORDS[14:18], WORDS[9:12], WORDS[11:15]
CATALOGUE = [f"the {a} {b} of {c} and {d}" for a, b, c, d in product(COLOURS, THINGS, TIMES, FEELINGS)]  # 240
TINY = {"vocabulary_size": 300, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
ENCODERS = [BertEncoder, GPT2Encoder]

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", ENCODERS, ids=lambda kind: kind.architecture)]


def make(kind, epochs=1, **settings):
    pretraining = {"epochs": epochs, "batch_size": 16, "held_out_share": 0.2, **settings}
    return kind("catalogue", max_length=16, sizes=TINY, pretraining=pretraining)


def weights(encoder) -> dict[str, torch.Tensor]:
    return encoder.model.state_dict()


def fitted(encoder, cache_dir: Path):
    encoder.fit(CATALOGUE, cache_dir)
    return encoder


def test_the_same_seed_gives_the_same_weights_whatever_the_global_one(kind, tmp_path):
    torch.manual_seed(1)
    one = fitted(make(kind), tmp_path / "one")
    torch.manual_seed(2)
    state = torch.get_rng_state()
    other = fitted(make(kind), tmp_path / "other")
    assert torch.equal(torch.get_rng_state(), state)
    assert one.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    assert weights(one).keys() == weights(other).keys()
    pooler = "pooler."  # not trained, not used
    assert all(torch.equal(weights(one)[key], weights(other)[key]) for key in weights(one) if pooler not in key)
    assert np.array_equal(one.encode(CATALOGUE), other.encode(CATALOGUE))


def test_another_seed_gives_other_weights(kind, tmp_path):
    one, other = fitted(make(kind), tmp_path), fitted(make(kind, seed=1), tmp_path)
    assert not np.allclose(one.encode(CATALOGUE[:5]), other.encode(CATALOGUE[:5]))


def test_more_epochs_lower_the_held_out_perplexity(kind, tmp_path):
    short, long = (fitted(make(kind, epochs), tmp_path).coverage([])["pretraining"] for epochs in (1, 8))
    assert long["held_out_perplexity"] < 0.8 * short["held_out_perplexity"]
    assert long["held_out_perplexity"] == pytest.approx(math.exp(long["held_out_loss"]))
    assert 1 < long["held_out_perplexity"] < 300  # better than a guess among all tokens
    assert (short["n_texts"], short["n_steps"], long["n_steps"]) == (192, 12, 96)  # 4/5 of 240, in batches of 16


def test_a_finished_pretraining_is_found_and_nothing_is_written(kind, tmp_path, monkeypatch):
    first = fitted(make(kind), tmp_path)
    again = make(kind)
    locking = pretraining.making
    monkeypatch.setattr(pretraining, "making", lambda path: pytest.fail(f"{path} is written though it is there"))

    def fresh(_):
        raise NotAgain

    again.fresh = fresh
    assert np.array_equal(fitted(again, tmp_path).encode(CATALOGUE), first.encode(CATALOGUE))
    assert again.pretraining_report == first.pretraining_report
    monkeypatch.setattr(pretraining, "making", locking)
    with pytest.raises(NotAgain):
        again.fit([*CATALOGUE, "another text"], tmp_path)


def test_what_does_not_change_the_weights_does_not_pretrain_again(kind, tmp_path):
    fitted(make(kind), tmp_path)
    other = kind("catalogue", pooling="max", normalize=True, batch_tokens=64, max_length=16, sizes=TINY,
                 pretraining={"epochs": 1, "batch_size": 16, "held_out_share": 0.2})  # fmt: skip
    fitted(other, tmp_path)
    assert len([path for path in (tmp_path / "pretrained").iterdir() if path.is_dir()]) == 1


def test_longer_texts_need_positions_of_their_own(kind, tmp_path):
    fitted(make(kind), tmp_path)
    longer = make(kind)
    longer.max_length = 24
    vectors = fitted(longer, tmp_path).encode([" ".join(WORDS * 3)])
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("damage", ["weights", "report", "unfinished"])
def test_a_damaged_pretraining_is_done_again(kind, tmp_path, caplog, damage):
    expected = fitted(make(kind), tmp_path).encode(CATALOGUE[:5])
    (folder,) = (path for path in (tmp_path / "pretrained").iterdir() if path.is_dir())
    if damage == "weights":
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(content[:-100])
    else:
        (folder / "pretraining.json").write_text("{") if damage == "report" else (folder / "pretraining.json").unlink()
    with caplog.at_level(logging.WARNING):
        again = fitted(make(kind), tmp_path)
    assert "is damaged: pretraining again" in caplog.text
    assert np.array_equal(again.encode(CATALOGUE[:5]), expected)


def test_many_empty_texts_do_not_spoil_the_weights(kind, tmp_path):
    encoder = make(kind)
    encoder.fit([*CATALOGUE[:30], *["", " "] * 40], tmp_path)
    assert all(torch.isfinite(tensor).all() for tensor in weights(encoder).values())


def test_nothing_held_out_reports_no_perplexity(kind, tmp_path):
    report = fitted(make(kind, held_out_share=0.0), tmp_path).pretraining_report
    assert report["n_texts"] == len(CATALOGUE)
    assert "held_out_perplexity" not in report


def test_texts_that_say_nothing_are_refused(kind, tmp_path):
    with pytest.raises(ConfigError, match=r"encoder\.weights is catalogue"):
        make(kind).fit(["", "  "], tmp_path)


def test_it_is_silent_and_leaves_the_user_s_verbosity_alone(kind, tmp_path, capfd):
    from transformers.utils import logging as transformers_logging

    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    before = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    try:
        fitted(make(kind), tmp_path).encode(CATALOGUE)
    finally:
        logger.removeHandler(handler)
    assert (transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()) == before
    assert [record.getMessage() for record in records] == []
    assert tuple(capfd.readouterr()) == ("", "")
