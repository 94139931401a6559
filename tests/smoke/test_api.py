"""What a notebook does: compose, run, look, reopen, recommend."""

from __future__ import annotations

from dataclasses import replace

import pytest

import recsys
from recsys.data.queries import histories
from recsys.schema import TEST, ConfigError
from recsys.tracking.store import Store


@pytest.fixture(scope="module")
def run(small_data, cache_dir, tmp_path_factory):
    store = tmp_path_factory.mktemp("api")
    return recsys.run(
        [*small_data, "encoder=none", "ranker=cf", f"paths.cache_dir={cache_dir}", f"paths.runs_dir={store}"]
    )


def test_a_run_has_its_record_and_its_model(run):
    assert run.record.name == "cf"
    assert run.record.epochs == 1
    assert {"data", "encode", "fit", "validate", "test", "total"} <= run.record.times.keys()
    assert run.record.parameters["trainable"] == sum(parameter.numel() for parameter in run.model.parameters())


def test_load_takes_an_id_or_a_folder(run):
    by_id = recsys.load(run.record.run_id, run.folder.parent)
    assert by_id.record == recsys.load(run.folder).record == run.record


def test_load_takes_the_beginning_of_an_id(run, tmp_path):
    for name in ("abcd11", "abcd22"):
        Store(tmp_path).save(replace(run.record, run_id=name))
    assert recsys.load("abcd1", tmp_path).record.run_id == "abcd11"
    with pytest.raises(ConfigError, match="run abcd is the beginning of abcd11, abcd22; give one of them"):
        recsys.load("abcd", tmp_path)
    with pytest.raises(ConfigError, match="there is no finished run in"):
        recsys.load("abc", tmp_path)


def test_a_run_on_other_data_is_not_reopened(run):
    other = replace(run.record, protocol=run.record.protocol | {"split_fingerprint": "0123"})
    reopened = replace(recsys.load(run.folder), record=other)
    with pytest.raises(ConfigError, match=r"the data of run \w+ has changed: .* expected 0123"):
        _ = reopened.model


def test_load_says_what_is_missing(tmp_path):
    with pytest.raises(ConfigError, match="there is no finished run in"):
        recsys.load("nothing", tmp_path)


def test_recommendations_are_new_to_the_user_and_best_first(run):
    user = run.split.dataset.users["user_id"][3]
    items = recsys.recommend(run, user, top_k=20)
    known = run.split.dataset.items[histories(run.split, TEST)[3].tolist()]["item_id"]
    assert items.height == 20
    assert not set(items["item_id"]) & set(known)
    assert items["score"].is_sorted(descending=True)


def test_an_unknown_user_is_refused(run):
    with pytest.raises(ConfigError, match="user 'nobody' is not in"):
        recsys.recommend(run, "nobody")
