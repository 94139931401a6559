"""The contract of encoders: a test class inherits it and defines `make`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.encoders.vector_cache import encode_items

SENTENCE = "a the of and red green blue old new war peace night day love film story man woman sea moon"
WORDS = SENTENCE.split()
TEXTS = [f"the {a} film of {b} and love" for a in WORDS[4:9] for b in WORDS[9:13]]
LONG = " ".join(WORDS * 100)  # 2,000 words
# Texts of many lengths, so that batches have padding; one is empty, one is blank, one has no known word.
MIXED = [TEXTS[0], "", "love", LONG, "xyzzy plugh", "the old man and the sea", "  ", *TEXTS[5:12]]


class NotAgain(AssertionError):
    """An encoder encoded or was fitted although its vectors were in the cache."""


def forbid_work(encoder: Encoder) -> Encoder:
    """The same encoder, changed to raise `NotAgain` when it is fitted or encodes."""

    def work(*_: object) -> None:
        raise NotAgain

    encoder.fit = encoder.encode = work  # type: ignore[method-assign, assignment]
    return encoder


class EncoderContract:
    """Tests of any encoder.

    Attributes:
        cuts: Whether long texts are truncated; `coverage` then counts them.
    """

    cuts: bool = False

    def make(self, folder: Path) -> Encoder:
        """A new encoder, not fitted; `folder` is for its weights, and the same for all encoders of the class."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("weights")

    @pytest.fixture(scope="class")
    def encoder(self, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
        made = self.make(folder)
        made.fit(TEXTS, tmp_path_factory.mktemp("cache"))
        return made

    def test_vectors_are_finite_float32_rows(self, encoder: Encoder) -> None:
        vectors = encoder.encode(MIXED)
        assert vectors.dtype == np.float32
        assert vectors.ndim == 2
        assert len(vectors) == len(MIXED)
        assert np.isfinite(vectors).all()
        assert encoder.encode([]).shape == (0, vectors.shape[1])

    def test_the_same_encoder_made_twice_gives_the_same_bits(
        self, encoder: Encoder, folder: Path, tmp_path: Path
    ) -> None:
        other = self.make(folder)
        other.fit(TEXTS, tmp_path)
        assert np.array_equal(other.encode(MIXED), encoder.encode(MIXED))

    def test_the_order_of_texts_changes_nothing(self, encoder: Encoder) -> None:
        order = np.random.default_rng(0).permutation(len(MIXED))
        shuffled = encoder.encode([MIXED[row] for row in order])
        np.testing.assert_allclose(shuffled, encoder.encode(MIXED)[order], atol=1e-5)

    def test_texts_beside_it_and_their_padding_change_nothing(self, encoder: Encoder) -> None:
        alone = np.concatenate([encoder.encode([text]) for text in MIXED])
        np.testing.assert_allclose(encoder.encode(MIXED), alone, atol=1e-5)
        without_long = [text for text in MIXED if text != LONG]
        kept = [row for row, text in enumerate(MIXED) if text != LONG]
        np.testing.assert_allclose(encoder.encode(without_long), alone[kept], atol=1e-5)

    def test_equal_texts_share_a_vector_and_are_counted(self, folder: Path, tmp_path: Path) -> None:
        texts = [*MIXED, MIXED[0], ""]
        vectors, report = encode_items(self.make(folder), texts, np.ones(len(texts), dtype=bool), tmp_path)
        assert np.array_equal(vectors[-2], vectors[0])
        assert np.array_equal(vectors[-1], vectors[1])
        counted = {key: report[key] for key in ("n_texts", "n_empty", "n_duplicate")}
        assert counted == {"n_texts": 16, "n_empty": 3, "n_duplicate": 2}

    def test_cut_texts_are_counted(self, encoder: Encoder) -> None:
        assert encoder.coverage(MIXED).get("n_cut") == (1 if self.cuts else None)

    def test_a_text_outside_train_changes_no_other_vector(self, folder: Path, tmp_path: Path) -> None:
        train = np.arange(len(TEXTS)) < 15
        vectors, _ = encode_items(self.make(folder), TEXTS, train, tmp_path)
        changed = [*TEXTS[:-1], "quixotic zebras love the moon"]
        others, _ = encode_items(self.make(folder), changed, train, tmp_path)
        np.testing.assert_allclose(others[:-1], vectors[:-1], atol=1e-6)

    def test_a_round_trip_through_the_cache_is_exact_and_does_no_work(self, folder: Path, tmp_path: Path) -> None:
        train = np.arange(len(MIXED)) % 2 == 0
        vectors, report = encode_items(self.make(folder), MIXED, train, tmp_path)
        again, found = encode_items(forbid_work(self.make(folder)), MIXED, train, tmp_path)
        assert vectors.dtype == again.dtype
        assert np.array_equal(vectors, again)
        assert (report.pop("cached"), found.pop("cached")) == (False, True)
        assert report == found

    def test_what_vectors_depend_on_is_known_before_anything_is_fitted(self, folder: Path) -> None:
        identity = self.make(folder).identity()
        assert json.loads(json.dumps(identity)) == self.make(folder).identity()

    def test_the_run_s_own_randomness_is_left_alone(self, folder: Path, tmp_path: Path) -> None:
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002 (the global state is what is watched)
        state, numpy_state = torch.get_rng_state(), self.numpy_state()
        encode_items(self.make(folder), TEXTS, np.ones(len(TEXTS), dtype=bool), tmp_path)
        assert torch.equal(torch.get_rng_state(), state)
        assert np.array_equal(self.numpy_state(), numpy_state)

    def numpy_state(self) -> NDArray[np.uint32]:
        """The state of numpy's global generator."""
        return np.array(np.random.get_state(legacy=False)["state"]["key"])  # noqa: NPY002
