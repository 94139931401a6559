"""Encoders with 8-bit products, and compiled ones."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from encoders.tiny_models import TEXTS, bert_folder, gpt2_folder

import recsys
from recsys.config.compatibility import check
from recsys.encoders import execution
from recsys.encoders.bert import BertEncoder
from recsys.encoders.execution import likeness
from recsys.encoders.gpt2 import GPT2Encoder
from recsys.encoders.int8 import Int8Linear, quantized
from recsys.experiment.record_fields import label
from recsys.schema import ConfigError
from recsys.testing.encoder_contract import MIXED, EncoderContract


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return str(bert_folder(tmp_path_factory.mktemp("bert")))


def fitted(encoder, cache_dir):
    encoder.fit(TEXTS, cache_dir)
    return encoder


class TestInt8Bert(EncoderContract):
    """A text's vector depends on no other, although eight bits make much of what differs in the last one."""

    cuts = True

    def make(self, folder):
        weights = folder if (folder / "config.json").is_file() else bert_folder(folder)
        return BertEncoder(str(weights), max_length=24, precision="int8")

    def test_it_is_near_float32_and_says_how_near(self, encoder, folder, tmp_path):
        reference = fitted(BertEncoder(str(folder), max_length=24), tmp_path)
        assert not np.allclose(encoder.encode(MIXED), reference.encode(MIXED), atol=1e-4)
        found = encoder.coverage(MIXED)["likeness"]
        assert found == {"n_compared": len(MIXED), **likeness(encoder.encode(MIXED), reference.encode(MIXED))}
        assert found["cosine_min"] > 0.9
        assert 0 < found["neighbours_kept"] <= 1

    def test_it_is_another_encoder(self, encoder, folder):
        reference = BertEncoder(str(folder), max_length=24).identity()
        assert reference["precision"] == "float32"
        assert encoder.identity() == {**reference, "precision": "int8"}
        named = recsys.compose(["encoder=bert", "encoder.precision=int8", "ranker=cf"])
        assert label(named) == "bert-int8+cf"


def test_int8_reaches_the_layers_of_gpt2(tmp_path):
    folder = str(gpt2_folder(tmp_path))
    int8, reference = (
        fitted(GPT2Encoder(folder, max_length=24, **own), tmp_path) for own in ({"precision": "int8"}, {})
    )
    changed = int8.encode(TEXTS)
    assert not np.allclose(changed, reference.encode(TEXTS), atol=1e-4)
    assert likeness(changed, reference.encode(TEXTS))["cosine_min"] > 0.9


def test_a_layer_of_8_bits_equals_its_formula():
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((2, 3, 16), (5, 16), (5,)))
    layer = Int8Linear(weight, bias)
    scales = weight.abs().amax(dim=1, keepdim=True) / 127
    rounded = (weight / scales).round() * scales
    # Torch halves the 255 levels of −1…1, which its products would overflow: a value is off by one of 127 at most.
    step = x.abs().amax(dim=2, keepdim=True) * 2 / 127
    found, expected = layer(x), x @ rounded.T + bias
    assert ((found - expected).abs() <= step * rounded.abs().sum(dim=1)).all()
    assert (found - x @ weight.T - bias).abs().max() > 1e-4
    assert torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.999
    torch.testing.assert_close(layer(x[:1, :1]), found[:1, :1])  # whatever other rows there are
    assert torch.isfinite(layer(torch.zeros(1, 16))).all()


def test_a_model_without_linear_layers_is_refused():
    with pytest.raises(ConfigError, match="Embedding has no linear layers"):
        quantized(torch.nn.Embedding(2, 2))


def test_likeness_by_hand():
    reference = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
    turned = reference[:, ::-1].copy()
    found = likeness(turned, reference)
    assert found["neighbours_kept"] == 1.0  # of four texts each has the three others
    assert found["cosine_min"] == pytest.approx(0.0, abs=1e-6)
    assert found["cosine_mean"] == pytest.approx((0 + 0.2 / 1.01 + 0 + 0.2 / 1.01) / 4, abs=1e-6)


@pytest.mark.parametrize(("change", "refused"), [(1e-7, False), (0.1, True)])
def test_a_compiled_model_is_compared_with_the_model(weights, tmp_path, monkeypatch, change, refused):
    def compile(model, dynamic):
        assert dynamic

        def run(**inputs):
            output = model(**inputs)
            output.last_hidden_state = output.last_hidden_state + change
            return output

        return run

    monkeypatch.setattr(torch, "compile", compile)
    encoder = BertEncoder(weights, max_length=24, compile=True)
    plain = BertEncoder(weights, max_length=24)
    assert encoder.identity() == {**plain.identity(), "compile": True}
    if refused:
        with pytest.raises(ConfigError, match=r"changes the states of BertModel by up to 0\.1"):
            encoder.fit(TEXTS, tmp_path)
        return
    np.testing.assert_allclose(
        fitted(encoder, tmp_path).encode(MIXED), fitted(plain, tmp_path).encode(MIXED), atol=1e-5
    )


def test_a_compiler_that_fails_is_told(weights, tmp_path, monkeypatch):
    def broken(**inputs):
        raise RuntimeError("ld: cannot find -lm")

    monkeypatch.setattr(torch, "compile", lambda model, dynamic: broken)
    with pytest.raises(ConfigError, match=r"cannot be compiled here \(ld: cannot find -lm\); use"):
        BertEncoder(weights, max_length=24, compile=True).fit(TEXTS, tmp_path)


def test_without_a_compiler_it_is_refused(monkeypatch):
    monkeypatch.setattr(execution.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="needs a C\\+\\+ compiler"):
        BertEncoder(compile=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "bfloat16"}, "encoder.precision is 'bfloat16'; expected float32 or int8"),
        ({"precision": "int8", "compile": True}, "encoder.compile=true is for encoder.precision=float32"),
        ({"precision": "int8", "device": "cuda"}, "encoder.precision=int8 runs on the CPU only"),
        ({"compile": "yes"}, "encoder.compile is 'yes'"),
    ],
)
def test_impossible_ways_of_running_are_refused(options, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        BertEncoder(**options)


def test_weights_of_8_bits_are_not_trained():
    with pytest.raises(ConfigError, match="int8 weights have no gradients"):
        check(recsys.compose(["encoder=gpt2", "encoder.precision=int8", "finetune=full"]))
