from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import torch
from encoders.tiny_models import TEXTS
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

import recsys
from recsys.encoders.concat import ConcatEncoder
from recsys.encoders.tfidf import TfidfEncoder
from recsys.encoders.vector_cache import encode_items
from recsys.encoders.vectors import VectorsEncoder
from recsys.reports.encoding import coverage_lines, coverage_warnings
from recsys.schema import ConfigError, DataError
from recsys.testing.encoder_contract import MIXED, EncoderContract

VALUES = np.arange(8, dtype=np.float32).reshape(4, 2)
IDS = ["7", "b", "c", "11"]
TRAIN = np.array([True, True, False])
ORIGIN = {"model": "clip", "revision": "r1", "made_from": "all items", "made_at": "2026-11-28"}


class ByText(VectorsEncoder):
    """Takes texts for ids, so that it can be held to what every encoder keeps."""

    def inputs(self, item_ids, texts):
        return texts

    def _rows(self, item_ids):
        return super()._rows([f"id of {text}" for text in item_ids])


class TestVectorsEncoder(EncoderContract):
    def make(self, folder):
        texts = list(dict.fromkeys([*MIXED, *TEXTS]))
        values = np.random.default_rng(0).standard_normal((len(texts), 5))
        recsys.save_vectors(folder / "v.safetensors", values, [f"id of {text}" for text in texts])
        return ByText(str(folder / "v.safetensors"), missing="mean")


def npy(folder):
    np.save(folder / "v.npy", VALUES)
    (folder / "ids.txt").write_text("\n".join(IDS))
    return VectorsEncoder(str(folder / "v.npy"), str(folder / "ids.txt"))


def npy_with_npy_ids(folder):
    np.save(folder / "v.npy", VALUES.astype(np.float16))
    np.save(folder / "ids.npy", np.array(IDS))
    return VectorsEncoder(str(folder / "v.npy"), str(folder / "ids.npy"))


def parquet(folder):
    pl.DataFrame({"item_id": IDS, "vectors": VALUES.tolist()}).write_parquet(folder / "v.parquet")
    return VectorsEncoder(str(folder / "v.parquet"))


def safetensors(folder):
    save_file({"vectors": VALUES}, folder / "v.safetensors", {"item_id": json.dumps(IDS)})
    return VectorsEncoder(str(folder / "v.safetensors"))


def npy_with_a_byte_order_mark(folder):
    made = npy(folder)
    (folder / "ids.txt").write_text("\n".join(IDS), encoding="utf-8-sig")
    return made


@pytest.mark.parametrize("make", [npy, npy_with_a_byte_order_mark, npy_with_npy_ids, parquet, safetensors])
def test_items_are_looked_up_by_their_ids(make, tmp_path):
    encoder = make(tmp_path)
    for _ in range(2):  # made, and from the cache
        vectors, report = encode_items(encoder, ["", "x", "x"], TRAIN, tmp_path / "cache", ["11", "7", "b"])
        assert vectors.tolist() == [[6, 7], [0, 1], [2, 3]]
        assert vectors.dtype == np.float32
        assert (report["n_texts"], report["n_missing"], report["n_in_file"]) == (3, 0, 4)


def test_integer_ids_of_a_tensor_are_their_digits(tmp_path):
    save_file({"vectors": VALUES, "item_id": np.array([7, 8, 9, 11])}, tmp_path / "v.safetensors")
    vectors, _ = encode_items(
        VectorsEncoder(str(tmp_path / "v.safetensors")), ["", ""], TRAIN[:2], tmp_path, ["11", "7"]
    )
    assert vectors.tolist() == [[6, 7], [0, 1]]


def test_a_missing_item_is_an_error_or_the_mean_of_the_train_items(tmp_path):
    with pytest.raises(DataError, match=r"has no vector for 1 of 3 items, such as 'z'"):
        encode_items(npy(tmp_path), [""] * 3, TRAIN, tmp_path / "cache", ["7", "c", "z"])
    encoder = npy(tmp_path)
    encoder.missing = "mean"
    vectors, report = encode_items(encoder, [""] * 3, TRAIN, tmp_path / "cache", ["7", "c", "z"])
    assert vectors[2].tolist() == [2, 3]  # of [0, 1] and [4, 5]
    assert report["n_missing"] == 1


def test_concat_joins_ids_and_texts(tmp_path):
    def make():
        return ConcatEncoder({"file": npy(tmp_path), "tfidf": TfidfEncoder(n_components=None)}, normalize=False)

    texts = ["red moon", "blue moon", "red moon"]
    vectors, report = encode_items(make(), texts, np.ones(3, bool), tmp_path / "cache", ["b", "c", "7"])
    alone, _ = encode_items(TfidfEncoder(n_components=None), texts, np.ones(3, bool), tmp_path / "cache")
    np.testing.assert_allclose(vectors, np.hstack([VALUES[[1, 2, 0]], alone]))
    assert report["parts"]["file"]["n_missing"] == 0
    again, _ = encode_items(make(), texts, np.ones(3, bool), tmp_path / "cache", ["b", "c", "7"])
    assert np.array_equal(again, vectors)


def test_the_content_of_the_files_and_the_provenance_are_the_identity(tmp_path):
    encoder = npy(tmp_path)
    first = encoder.identity()
    (tmp_path / "ids.txt").write_text("\n".join(reversed(IDS)))
    other_ids = encoder.identity()
    np.save(tmp_path / "v.npy", VALUES + 1)
    other_values = encoder.identity()
    assert len({json.dumps(each) for each in (first, other_ids, other_values)}) == 3
    assert first["provenance"] is None
    (tmp_path / "v.npy.yaml").write_text("".join(f"{key}: {value}\n" for key, value in ORIGIN.items()))
    assert encoder.identity()["provenance"] == {**ORIGIN, "made_at": "2026-11-28"}


def test_a_report_names_the_provenance_or_warns(tmp_path):
    encoder = npy(tmp_path)
    _, report = encode_items(encoder, [""] * 2, TRAIN[:2], tmp_path / "cache", ["7", "c"])
    assert "provenance unknown" in coverage_lines(report)[0]
    assert coverage_warnings(report)[0].startswith("vectors: provenance unknown")
    (tmp_path / "v.npy.yaml").write_text(json.dumps(ORIGIN))
    _, report = encode_items(encoder, [""] * 2, TRAIN[:2], tmp_path / "cache", ["7", "c"])
    assert "model clip, revision r1, made from all items, made at 2026-11-28" in coverage_lines(report)[0]
    assert not [line for line in coverage_warnings(report) if "provenance" in line]


def test_vectors_in_bfloat16_are_read(tmp_path):
    values = torch.tensor(VALUES, dtype=torch.bfloat16)
    save_tensors({"vectors": values}, tmp_path / "v.safetensors", {"item_id": json.dumps(IDS)})
    encoder = VectorsEncoder(str(tmp_path / "v.safetensors"))
    encoder.fit(IDS, tmp_path)
    assert np.array_equal(encoder.encode(IDS), VALUES)


@pytest.mark.parametrize("missing", ["drop", "mean", "error"])
def test_ids_of_another_kind_are_an_error_with_an_example(missing, tmp_path):
    npy(tmp_path)
    encoder = VectorsEncoder(str(tmp_path / "v.npy"), str(tmp_path / "ids.txt"), missing=missing)
    with pytest.raises(DataError, match=r"no vector for any of 2 .*items: are its ids, such as '7', raw item ids"):
        encoder.keeps(["x", "y"]) if missing == "drop" else encoder.fit(["x", "y"], tmp_path)


BROKEN = {
    "ids are a number": (
        lambda f: save_file({"vectors": VALUES}, f / "v.safetensors", {"item_id": "5"}),
        "v.safetensors",
        "found the metadata item_id='5'; expected a JSON list",
    ),
    "ids are a mapping": (
        lambda f: save_file({"vectors": VALUES}, f / "v.safetensors", {"item_id": '{"a": 1}'}),
        "v.safetensors",
        "expected a JSON list of ids",
    ),
    "no ids": (lambda f: np.save(f / "v.npy", VALUES), "v.npy", "has no item ids: give encoder.ids"),
    "other length": (lambda f: save(f, VALUES, IDS[:3]), "v.safetensors", "found 3 ids for 4 vectors"),
    "repeated": (lambda f: save(f, VALUES, ["7", "b", "7", "c"]), "v.safetensors", "found the id '7' twice"),
    "nan": (
        lambda f: save(f, VALUES / VALUES, IDS),
        "v.safetensors",
        "vector of item '7' has a number that is not",
    ),
    "flat": (lambda f: save(f, VALUES.ravel(), IDS), "v.safetensors", r"of shape \(8,\); expected numbers"),
    "empty": (lambda f: save(f, VALUES[:0], []), "v.safetensors", r"of shape \(0, 2\); expected numbers"),
    "no id": (lambda f: save(f, VALUES, ["7", None, "b", "c"]), "v.safetensors", "row 2: found the id None"),
    "no tensor": (lambda f: save_file({"x": VALUES}, f / "v.safetensors"), "v.safetensors", "found the tensors x"),
    "damaged": (lambda f: (f / "v.safetensors").write_bytes(b"abc"), "v.safetensors", "cannot be read as .safetensors"),
    "pickled": (lambda f: np.save(f / "v.npy", np.array([{}]), allow_pickle=True), "v.npy", "cannot be read as .npy"),
    "ragged": (
        lambda f: pl.DataFrame({"item_id": ["a", "b"], "vectors": [[1.0], [1.0, 2.0]]}).write_parquet(f / "v.parquet"),
        "v.parquet",
        "row 2: found no vector, or one of another length",
    ),
    "columns": (
        lambda f: pl.DataFrame({"id": ["a"], "vectors": [[1.0]]}).write_parquet(f / "v.parquet"),
        "v.parquet",
        "found the columns id, vectors; expected item_id and vectors",
    ),
    "kind": (lambda f: (f / "v.csv").write_text("a"), "v.csv", "expected a file of .npy, .parquet, .safetensors"),
    "absent": (lambda f: None, "v.npy", "there is no file /"),
}


def save(folder, values, ids):
    save_file({"vectors": np.asarray(values)}, folder / "v.safetensors", {"item_id": json.dumps(ids)})


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("fault", BROKEN)
def test_a_malformed_file_gives_one_clear_line(fault, tmp_path):
    make, file, message = BROKEN[fault]
    make(tmp_path)
    with pytest.raises((DataError, ConfigError), match=message) as error:
        VectorsEncoder(str(tmp_path / file)).encode(["7"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", ["model: a", "[1]", "model: [", json.dumps({**ORIGIN, "model": None}), json.dumps({**ORIGIN, "x": 1})]
)
def test_a_malformed_provenance_is_an_error(content, tmp_path):
    encoder = npy(tmp_path)
    (tmp_path / "v.npy.yaml").write_text(content)
    with pytest.raises(DataError, match=r"v.npy.yaml") as error:
        encoder.identity()
    assert "\n" not in str(error.value)


def test_no_text_is_encoded(tmp_path):
    encoder = npy(tmp_path)
    with pytest.raises(ConfigError, match="cannot encode texts"):
        encoder.inputs([None], ["a text"])
    with pytest.raises(ConfigError, match=r"encoder\.missing is 'zero'"):
        VectorsEncoder("v.npy", missing="zero")


def pandas_frame():
    return pytest.importorskip("pandas").DataFrame(VALUES, index=IDS)


@pytest.mark.parametrize(
    ("make", "ids"),
    [
        (lambda: VALUES, IDS),
        (lambda: torch.from_numpy(VALUES).requires_grad_(), IDS),
        (lambda: pl.DataFrame({"item_id": IDS, "vectors": VALUES.tolist()}), None),
        (lambda: pl.DataFrame({"item_id": IDS, "x": VALUES[:, 0], "y": VALUES[:, 1]}), None),
        (pandas_frame, None),
        (lambda: dict(zip(IDS, VALUES, strict=True)), None),
    ],
)
def test_vectors_in_memory_become_a_file(make, ids, tmp_path):
    path = tmp_path / 'a\'s "new" one, 2' / "v.safetensors"
    overrides = recsys.save_vectors(path, make(), ids, ORIGIN)
    assert recsys.compose(overrides).encoder.path == str(path)
    encoder = VectorsEncoder(str(path))
    encoder.fit(["b"], tmp_path)
    assert encoder.encode(["11", "b"]).tolist() == [[6, 7], [2, 3]]
    assert encoder.identity()["provenance"] == ORIGIN
    recsys.save_vectors(path, VALUES, IDS)
    assert encoder.identity()["provenance"] is None


def test_vectors_in_memory_without_ids_are_an_error(tmp_path):
    with pytest.raises(DataError, match="found no ids"):
        recsys.save_vectors(tmp_path / "v.safetensors", VALUES)
    numbered = pytest.importorskip("pandas").DataFrame({"movieId": [10, 20], "x": [0.5, 1.5]})
    with pytest.raises(DataError, match="found no ids"):  # 0 and 1 are not ids
        recsys.save_vectors(tmp_path / "v.safetensors", numbered)


@pytest.mark.parametrize("vectors", [[[1.0, 2.0], [3.0]], torch.nn.Embedding(2, 3)])
def test_objects_that_are_no_vectors_are_refused(vectors, tmp_path):
    with pytest.raises(DataError, match=r"v\.safetensors: expected numbers \(n_items, dim\); "):
        recsys.save_vectors(tmp_path / "v.safetensors", vectors, ["a", "b"])


def test_blank_lines_at_the_end_of_ids_are_no_ids(tmp_path):
    np.save(tmp_path / "v.npy", VALUES)
    (tmp_path / "ids.txt").write_text("\n".join(IDS) + "\n\n")
    encoder = VectorsEncoder(str(tmp_path / "v.npy"), ids=str(tmp_path / "ids.txt"))
    encoder.fit(["b"], tmp_path)
    assert encoder.encode(["b"]).tolist() == [[2, 3]]


def test_a_malformed_provenance_in_memory_is_an_error(tmp_path):
    with pytest.raises(DataError, match="found str; expected a value for each of model, revision"):
        recsys.save_vectors(tmp_path / "v.safetensors", VALUES, IDS, "clip")
