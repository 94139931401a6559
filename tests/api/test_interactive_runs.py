"""A run on data frames: the same as on files, reopened, and asked for recommendations."""

from __future__ import annotations

import shutil
from dataclasses import replace

import polars as pl
import pytest

import recsys
from recsys.api.runs import InteractiveRun, overrides_of
from recsys.reports.encoding import run_warnings
from recsys.schema import ConfigError, DataError, RecsysError


@pytest.fixture(scope="module")
def tables(small_data):
    folder = next(entry.partition("=")[2] for entry in small_data if entry.startswith("data.path="))
    return {name: pl.read_csv(f"{folder}/{name}.csv") for name in ("ratings", "movies")}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def data(tables, cache_dir):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_CACHE", str(cache_dir))
        return recsys.dataset(
            tables["ratings"].to_pandas(),
            tables["movies"].to_pandas(),
            user="userId",
            item="movieId",
            rating="rating",
            timestamp="timestamp",
            item_text="{title}. {genres}",
        )


@pytest.fixture(scope="module")
def settings(small_data, cache_dir):
    own = [entry for entry in small_data if not entry.startswith("data")]
    return ["encoder=tfidf", "ranker=cf", "profile=mean", *own, f"paths.cache_dir={cache_dir}"]


@pytest.fixture(scope="module")
def run(data, settings, store):
    return recsys.run(*settings, f"paths.runs_dir={store}", data=data)


@pytest.mark.slow
def test_a_run_on_frames_is_the_run_on_files(run, data, settings, small_data, tmp_path):
    files = [entry for entry in small_data if entry.startswith("data")]
    other = recsys.run([*files, *settings, f"paths.runs_dir={tmp_path}"])
    assert other.record.run_id == run.record.run_id
    assert other.record.metrics == run.record.metrics
    assert other.record.protocol["data_fingerprint"] == data.fingerprint


def test_a_run_on_frames_is_found_and_reopened(run, data, settings, store):
    again = recsys.run(settings, f"paths.runs_dir={store}", data=data)
    assert again.record == run.record
    loaded = recsys.load(run.folder)
    assert loaded.recommend(data.dataset.users["user_id"][0], top_k=3).height == 3


def test_recommend_takes_known_users_and_a_history(run):
    ids, items = run.split.dataset.users["user_id"], run.split.dataset.items["item_id"]
    known = run.recommend(ids[3], top_k=4)
    assert known.equals(recsys.recommend(run, ids[3], top_k=4))
    new = run.recommend(history=items[:2].to_list(), top_k=5)
    assert new["rank"].to_list() == [1, 2, 3, 4, 5]
    assert not set(new["item_id"]) & set(items[:2])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "either the id of a known user or the history"),
        ({"user": 1, "history": [1]}, "either the id of a known user or the history"),
        ({"history": ["no such"]}, "'no such'"),
        ({"user": 1, "top_k": 0}, "the number of items is 0; expected a whole number"),
    ],
)
def test_impossible_requests_are_refused(run, asked, message):
    with pytest.raises(RecsysError, match=message):
        run.recommend(**asked)


def test_metrics_are_a_frame(run):
    found = run.metrics.filter((pl.col("stage") == "test") & (pl.col("metric") == "ndcg@10"))["value"].to_list()
    assert found == [run.record.metrics["test/ndcg@10"]]


def test_a_run_is_shown_in_few_lines(run):
    assert len(repr(run).splitlines()) == 2 + len(run_warnings(run.record))
    assert run.record.run_id in repr(run)
    assert "test/ndcg@10" in run._repr_html_()
    assert len(run._repr_html_()) < 3000


def test_a_run_and_a_comparison_show_their_warnings(run):
    shown = InteractiveRun.of(run)
    shown.record = replace(run.record, warnings=["few <users>"])
    assert "  warning: few <users>" in repr(shown).splitlines()
    assert "<li>few &lt;users&gt;</li>" in shown._repr_html_()
    found = recsys.compare([recsys.load(run.folder)])
    object.__setattr__(found.rows[0].cell.records[0], "warnings", ["few <users>"])
    assert "  warning: few <users>" in repr(found).splitlines()
    assert "<li>few &lt;users&gt;</li>" in found._repr_html_()


def test_overrides_are_texts():
    with pytest.raises(ConfigError, match="expected texts such as 'encoder=tfidf'"):
        overrides_of([["seed=1", 2]])


def test_a_composed_configuration_has_its_data(data):
    with pytest.raises(ConfigError, match="with data=… takes overrides"):
        recsys.run(recsys.compose(), data=data)


def test_frames_that_left_the_cache_are_asked_for_again(tables, monkeypatch, tmp_path):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    columns = {"user": "userId", "item": "movieId"}
    data = recsys.dataset(tables["ratings"], **columns)
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(DataError, match=r"give them to recsys\.dataset again"):
        recsys.run("ranker=popularity", "split=random", data=data)
    assert recsys.dataset(tables["ratings"], **columns).fingerprint == data.fingerprint
