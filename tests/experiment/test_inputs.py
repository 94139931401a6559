"""What runs of one process share depends on content alone, is made once, and is not kept for ever."""

from __future__ import annotations

import gc
import shutil
import weakref
from dataclasses import replace

import numpy as np
import pytest

import recsys
from recsys.data import dataset_cache
from recsys.experiment import inputs
from recsys.experiment.inputs import load_split, text_features, text_rows, user_texts
from recsys.schema import UserPrompt

THIN = {
    "half": ["train_share=0.5"],
    "five": ["train_per_user=5"],
    "whole": [],
    "title": ["item_text='{title}'"],
}


@pytest.fixture(autouse=True)
def _empty_memory():
    forget()
    yield
    forget()


def forget():
    for name in ("_datasets", "_splits", "_features", "_text_rows", "_user_texts"):
        getattr(inputs, name).kept.clear()


@pytest.fixture
def compose(small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / 'runs'}"]
    return lambda *overrides: recsys.compose([*small_data, *paths, *overrides])


@pytest.mark.slow
def test_no_order_of_runs_changes_a_number(small_data, cache_dir, tmp_path):
    def metrics(order, store):
        forget()
        paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / store}"]
        common = [*small_data, *paths, "encoder=tfidf", "encoder.n_components=8", "features.dim=8"]
        return {name: recsys.run([*common, *THIN[name]]).record.metrics for name in order}

    orders = [["half", "five", "whole", "title"], ["title", "whole", "five", "half"]]
    first, *others = (metrics(order, str(place)) for place, order in enumerate(orders))
    assert all(other == first for other in others)
    assert len({str(found) for found in first.values()}) == 4


def test_text_features_follow_the_warm_items_and_not_the_number_of_rows(compose):
    cfg = compose("encoder=tfidf", "encoder.n_components=8")
    split = load_split(cfg)
    half = split.train.height // 2
    parts = [split.train.head(half), split.train.tail(half)]
    one, other = (replace(split, train=part) for part in parts)
    assert (one.warm_items != other.warm_items).any()
    first, second = text_features(cfg, one), text_features(cfg, other)
    assert first is not second
    assert (first.vectors != second.vectors).any()
    assert text_features(cfg, replace(one, train=parts[0].reverse())) is first
    rows = text_rows(split)
    assert text_rows(split.subsample_train(0.5)) is rows  # evaluation looks at the whole split
    assert text_rows(one) is not rows


def test_text_features_follow_the_content_of_a_file_of_vectors(compose, tmp_path):
    ids = load_split(compose()).dataset.items["item_id"].to_list()
    for value in (1.0, 2.0):
        chosen = recsys.save_vectors(tmp_path / "v.safetensors", np.full((len(ids), 3), value), ids)
        cfg = compose(*chosen)
        assert (text_features(cfg, load_split(cfg)).vectors == value).all()


def test_user_texts_follow_all_that_is_known(compose):
    cfg, prompt = compose("encoder=tfidf", "profile=text"), UserPrompt("Liked: {items}.", "Nobody knows.", ", ", 3, 2)
    split = load_split(cfg)
    first = user_texts(cfg, split, prompt)
    assert user_texts(cfg, replace(split, name="other"), prompt) is first
    changed = [
        replace(split, validation=split.validation.reverse()),
        replace(split, test=split.test.head(5)),
        replace(split, fold_in=split.train.head(3)),
        replace(split, train=split.train.head(split.train.height - 1)),
    ]
    assert all(user_texts(cfg, other, prompt) is not first for other in changed)


def test_unchanged_data_is_read_and_hashed_once(compose, monkeypatch):
    calls = []
    read = dataset_cache._read
    monkeypatch.setattr(dataset_cache, "_read", lambda folder: calls.append(folder) or read(folder))
    cfg = compose()
    first = load_split(cfg)
    n_calls = len(calls)
    assert all(load_split(cfg) is first for _ in range(20))
    load_split(compose("split.seed=1"))
    load_split(compose("train_share=0.5"))
    assert len(calls) == n_calls


def test_data_that_changes_is_read_again(compose, tmp_path):
    first = load_split(compose())
    folder = shutil.copytree(compose().data.path, tmp_path / "changed")
    copied = load_split(compose(f"data.path={folder}"))
    assert copied.fingerprint == first.fingerprint
    lines = (folder / "ratings.csv").read_text().splitlines()
    (folder / "ratings.csv").write_text("\n".join(lines[:-1]) + "\n")
    assert load_split(compose(f"data.path={folder}")).fingerprint != first.fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("thin", THIN.values(), ids=THIN)
def test_a_split_that_memory_drops_is_freed(compose, thin):
    split = load_split(compose(*thin))
    assert split.whole.warm_items.any()
    reference = weakref.ref(split)
    gc.collect()
    gc.disable()
    try:
        forget()
        del split
        assert reference() is None
    finally:
        gc.enable()


def test_no_more_splits_are_kept_than_memory_says(compose):
    references = []
    for seed in range(2 * inputs.KEPT):
        split = load_split(compose(f"split.seed={seed}", "split=random"))
        assert split.whole is split
        references.append(weakref.ref(split))
        del split
    kept = [reference for reference in references if reference() is not None]
    assert len(kept) <= inputs.KEPT
