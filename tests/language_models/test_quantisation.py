from __future__ import annotations

import pytest
import torch
from encoders.tiny_models import causal_folder

from recsys.language_models.causal import CausalLM
from recsys.language_models.generation import LocalGenerator
from recsys.language_models.token_budget import TokenBudget
from recsys.schema import ConfigError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    sizes = {"hidden_size": 64, "intermediate_size": 64, "initializer_range": 0.2}
    return causal_folder("llama", tmp_path_factory.mktemp("quantised"), **sizes)


def opened(folder, bits: int | None) -> CausalLM:
    model = CausalLM(str(folder), device="cpu", bits=bits)
    model.open(folder)
    return model


@pytest.mark.parametrize(("bits", "dtype", "error"), [(8, torch.int8, 0.1), (4, torch.uint8, 0.5)])
def test_linear_layers_have_fewer_bits_and_nearly_the_same_logits(folder, bits, dtype, error, capfd):
    pytest.importorskip("bitsandbytes")
    whole, small = opened(folder, None).model, opened(folder, bits).model
    assert small.model.layers[0].self_attn.q_proj.weight.dtype == dtype
    assert small.lm_head.weight.dtype == torch.float32
    ids = torch.arange(20, 40).unsqueeze(0)
    with torch.no_grad():
        expected, found = whole(ids).logits, small(ids).logits
    difference = float((expected - found).norm() / expected.norm())
    assert 0 < difference < error
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("bits", [8, 4])
def test_answers_are_repeated_and_kept_apart_from_those_in_float32(folder, bits):
    pytest.importorskip("bitsandbytes")
    made = []
    for _ in range(2):
        writer = LocalGenerator(str(folder), max_new_tokens=5, device="cpu", bits=bits)
        writer.open(folder)
        writer.generate(["a red apple"], 0, lambda _, answers: made.append(answers), TokenBudget())
    assert made[0] == made[1]
    assert writer.identity() != LocalGenerator(str(folder), max_new_tokens=5, device="cpu").identity()


def test_other_numbers_of_bits_are_errors():
    for bits in (3, 16, True, "8", [8]):
        with pytest.raises(ConfigError, match=r"ranker\.language_model\.bits is .*; expected 8, 4 or null"):
            CausalLM(bits=bits)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("recsys.language_models.quantisation.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "recsys-experiments\[quantised\]"'):
        LocalGenerator(bits=4)
