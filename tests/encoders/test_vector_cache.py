from __future__ import annotations

import logging

import numpy as np
import pytest
from encoders.tiny_models import TEXTS

from recsys.encoders.base import Encoder
from recsys.encoders.concat import ConcatEncoder
from recsys.encoders.random import RandomEncoder
from recsys.encoders.tfidf import TfidfEncoder
from recsys.encoders.vector_cache import are_cached, encode_items
from recsys.schema import ConfigError, DataError
from recsys.testing.encoder_contract import MIXED, NotAgain, forbid_work

TRAIN = np.arange(len(TEXTS)) < 15


def only_file(cache_dir):
    (path,) = (cache_dir / "features").glob("*.safetensors")
    return path


def truncate(content: bytes) -> bytes:
    return content[:-5]


def flip(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


@pytest.mark.parametrize(
    "damage", [truncate, flip, lambda _: b"", lambda _: b"not a tensor", lambda content: content[:20]]
)
def test_a_damaged_file_is_made_again_and_said(tmp_path, caplog, damage):
    vectors, _ = encode_items(RandomEncoder(dim=3), MIXED, np.ones(len(MIXED), dtype=bool), tmp_path)
    path = only_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with caplog.at_level(logging.WARNING):
        again, report = encode_items(RandomEncoder(dim=3), MIXED, np.ones(len(MIXED), dtype=bool), tmp_path)
    assert np.array_equal(again, vectors)
    assert not report["cached"]
    assert f"{path} is damaged" in caplog.text
    encode_items(forbid_work(RandomEncoder(dim=3)), MIXED, np.ones(len(MIXED), dtype=bool), tmp_path)


def test_texts_with_html_are_counted(tmp_path):
    without, with_html = ["plain <3 text", "R&B; 1 < 2 > 0"], ["a <br /> b", "</b>", "&amp;", "&#39;tis", '<a b="c">d']
    texts = without + with_html
    _, report = encode_items(RandomEncoder(dim=3), texts, np.ones(len(texts), dtype=bool), tmp_path)
    assert report["n_with_html"] == len(with_html)


def test_vectors_that_were_made_whole_leave_nothing_else_behind(tmp_path):
    encode_items(RandomEncoder(dim=3), TEXTS, TRAIN, tmp_path)
    path = only_file(tmp_path)
    left = [other.name for other in path.parent.iterdir() if other != path and not other.name.endswith(".lock")]
    assert left == []


@pytest.mark.parametrize(
    ("encoder", "texts", "train"),
    [
        (TfidfEncoder(n_components=3), TEXTS, TRAIN),
        (TfidfEncoder(n_components=2), TEXTS[::-1], TRAIN),
        (TfidfEncoder(n_components=2), [*TEXTS[:-1], "another"], TRAIN),
        (TfidfEncoder(n_components=2), TEXTS, ~TRAIN),
    ],
    ids=["a setting", "the order", "a text", "the train items"],
)
def test_another_content_is_not_found(tmp_path, encoder, texts, train):
    encode_items(TfidfEncoder(n_components=2), TEXTS, TRAIN, tmp_path)
    with pytest.raises(NotAgain):
        encode_items(forbid_work(encoder), texts, train, tmp_path)


def test_whether_vectors_are_cached_is_known_without_encoding(tmp_path):
    texts, train = [*TEXTS, *TEXTS], TEXTS[:15]
    encoder = forbid_work(TfidfEncoder(n_components=2))
    assert not are_cached(encoder, texts, train, tmp_path)
    encode_items(TfidfEncoder(n_components=2), texts, np.arange(len(texts)) < 15, tmp_path)
    assert are_cached(encoder, texts, train, tmp_path)
    assert not are_cached(encoder, texts, TEXTS[:14], tmp_path)


def test_train_items_matter_only_to_an_encoder_that_is_fitted(tmp_path):
    encode_items(RandomEncoder(dim=3), TEXTS, TRAIN, tmp_path)
    _, report = encode_items(forbid_work(RandomEncoder(dim=3)), TEXTS, ~TRAIN, tmp_path)
    assert report["cached"]


def test_an_encoder_that_is_fitted_sees_the_train_texts_and_no_others(tmp_path):
    seen = []

    class Watched(RandomEncoder):
        def fit(self, texts, cache_dir):
            seen.extend(texts)

    encode_items(Watched(dim=2), TEXTS, TRAIN, tmp_path)
    assert seen == TEXTS[:15]


def test_vectors_that_are_not_finite_are_refused_and_not_kept(tmp_path):
    class Broken(RandomEncoder):
        def encode(self, texts):
            vectors = super().encode(texts)
            vectors[:2, 0] = np.nan
            return vectors

    with pytest.raises(DataError, match="not finite for 2 of 20 texts"):
        encode_items(Broken(dim=2), TEXTS, TRAIN, tmp_path)
    assert not list((tmp_path / "features").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda vectors: vectors.tolist(), "a list"),
        (lambda vectors: vectors[1:], r"an array \(19, 2\) of float32"),
        (lambda vectors: vectors[:, 0], r"an array \(20,\) of float32"),
        (lambda vectors: vectors.astype(int), r"an array \(20, 2\) of int64"),
        (lambda vectors: None, "a NoneType"),
    ],
)
def test_an_encoder_that_returns_no_float_array_is_named(change, got, tmp_path):
    class Mine(RandomEncoder):
        def encode(self, texts):
            return change(super().encode(texts))

    expected = r"Mine: encode must return a float array \(n_texts, dim\), here \(20, dim\); got "
    with pytest.raises(DataError, match=expected + got):
        encode_items(Mine(dim=2), TEXTS, TRAIN, tmp_path)


def test_vectors_in_float64_are_cached_as_float32(tmp_path):
    class Mine(RandomEncoder):
        def encode(self, texts):
            return super().encode(texts).astype(np.float64)

    vectors, _ = encode_items(Mine(dim=2), TEXTS, TRAIN, tmp_path)
    assert vectors.dtype == np.float32
    assert encode_items(Mine(dim=2), TEXTS, TRAIN, tmp_path)[1]["cached"]


def test_a_part_of_concat_shares_its_vectors_with_runs_that_use_it_alone(tmp_path):
    def parts() -> dict[str, Encoder]:
        return {"tfidf": TfidfEncoder(n_components=3), "random": RandomEncoder(dim=4)}

    encode_items(ConcatEncoder(parts()), TEXTS, TRAIN, tmp_path)
    alone = [encode_items(forbid_work(part), TEXTS, TRAIN, tmp_path)[1]["cached"] for part in parts().values()]
    assert alone == [True, True]
    held = {name: forbid_work(part) for name, part in parts().items()}
    vectors, report = encode_items(ConcatEncoder(held, normalize=False), TEXTS, TRAIN, tmp_path)
    assert not report["cached"]
    assert vectors.shape == (20, 7)
    assert {name: part["cached"] for name, part in report["parts"].items()} == {"tfidf": True, "random": True}


def test_a_part_of_concat_that_is_null_is_left_out(tmp_path):
    alone = ConcatEncoder({"tfidf": None, "random": RandomEncoder(dim=4)})
    assert encode_items(alone, TEXTS, TRAIN, tmp_path)[0].shape == (20, 4)
    with pytest.raises(ConfigError, match=r"encoder\.parts is empty"):
        ConcatEncoder({"tfidf": None})
