import polars as pl
import pytest

from recsys.data import dataset as module
from recsys.data.dataset import Dataset, frame_hash

FRAMES = [
    pl.DataFrame({"a": [1, 2]}),
    pl.DataFrame({"b": [1, 2]}),
    pl.DataFrame({"a": [2, 1]}),
    pl.DataFrame({"a": [1, 2]}, schema={"a": pl.Int32}),
    pl.DataFrame({"a": [1, None]}, schema={"a": pl.Int64}),
    pl.DataFrame({"a": [1, 0]}),
    pl.DataFrame({"a": [1.0, 2.0]}),
    pl.DataFrame({"a": [True, False]}),
    pl.DataFrame({"a": [True, None]}),
    pl.DataFrame({"a": ["x", "yz"]}),
    pl.DataFrame({"a": ["xy", "z"]}),
    pl.DataFrame({"a": ["xyz", ""]}),
    pl.DataFrame({"a": ["xyz", None]}),
    pl.DataFrame({"a": ["é", "z"]}),
    pl.DataFrame({"a": [["x"], ["y", "z"]]}),
    pl.DataFrame({"a": [["x", "y"], ["z"]]}),
    pl.DataFrame({"a": [["x", "y", "z"], []]}),
    pl.DataFrame({"a": [["x", "y", "z"], None]}),
    pl.DataFrame({"a": [["x", "y", None], []]}),
    pl.DataFrame({"a": [["x", "y", ""], []]}),
    pl.DataFrame({"a": [[1], [2, 3]]}),
    pl.DataFrame({"a": [[1, 2], [3]]}),
    pl.DataFrame({"a": [[True], [False, True]]}),
    pl.DataFrame({"a": []}, schema={"a": pl.List(pl.String)}),
    pl.DataFrame({"a": [None, None]}, schema={"a": pl.List(pl.Int32)}),
]


def test_frames_that_differ_have_hashes_that_differ():
    assert len({frame_hash(frame) for frame in FRAMES}) == len(FRAMES)


@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_a_hash_does_not_depend_on_how_a_frame_lies_in_memory(frame):
    doubled = pl.concat([frame, frame], rechunk=False)
    assert frame_hash(doubled.rechunk()) == frame_hash(doubled)
    assert frame_hash(doubled.slice(frame.height)) == frame_hash(frame)


def test_a_hash_is_the_same_on_every_machine():
    frame = pl.DataFrame({"user": pl.Series([0, 1], dtype=pl.Int32), "text": ["café", ""], "tags": [["a"], []]})
    assert frame_hash(frame) == "be3db128bd6ea8f95f7d0a43d3efcec627639fd1d763bb5b1a4cdb3a54ee0300"


def test_long_frames_are_hashed_in_parts_and_whole(monkeypatch):
    frame = pl.DataFrame({"a": range(10), "b": [str(number) for number in range(10)]})
    monkeypatch.setattr(module, "_HASHED_ROWS", 3)
    changed = frame.with_columns(pl.when(pl.col("a") == 9).then(pl.lit("x")).otherwise("b").alias("b"))
    assert frame_hash(frame) != frame_hash(changed)


def dataset(**changes) -> Dataset:
    frames = {
        "interactions": pl.DataFrame({"user": [0], "item": [0], "value": [1.0]}),
        "items": pl.DataFrame({"item_id": ["a", "b"], "text": ["A", ""]}),
        "users": pl.DataFrame({"user_id": ["u"]}),
    }
    return Dataset("toy", **(frames | changes))


def test_sizes_and_texts():
    data = dataset()
    assert (data.n_users, data.n_items, data.has_timestamps, data.texts) == (1, 2, False, ["A", ""])


def test_the_fingerprint_is_of_content():
    assert dataset().fingerprint == dataset().fingerprint == dataset(dropped={"x": 1}).fingerprint
    others = [
        dataset(users=pl.DataFrame({"user_id": ["v"]})),
        dataset(items=pl.DataFrame({"item_id": ["a", "b"], "text": ["A", "B"]})),
        dataset(impressions=pl.DataFrame({"user": [0], "clicked": [[True]]})),
    ]
    assert len({data.fingerprint for data in [dataset(), *others]}) == 4
