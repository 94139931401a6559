"""`recsys recommend` by its configuration, on a trained run."""

from __future__ import annotations

import io
import json

import polars as pl
import pytest
from rich.console import Console

import recsys
from recsys.commands.recommend import run as recommend_command
from recsys.schema import ConfigError, DataError
from recsys.serving.model import serve
from recsys.serving.users import known_users


@pytest.fixture
def recommend(dot_run):
    """The screen after the command."""

    def command(*overrides: str) -> str:
        screen = Console(file=io.StringIO(), width=160)
        recommend_command(recsys.compose([f"run={dot_run.folder}", *overrides], "recommend"), screen)
        return screen.file.getvalue()

    return command


def test_a_user_on_the_screen(recommend, dot_run):
    expected = recsys.recommend(dot_run, "42", top_k=3)
    shown = recommend("user=42", "top_k=3")
    assert "user 42" in shown
    for title, score in zip(expected["title"], expected["score"], strict=True):
        assert title in shown
        assert f"{score:.4f}" in shown


READ = {
    "parquet": pl.read_parquet,
    "csv": lambda path: pl.read_csv(path, schema_overrides={"user_id": pl.String, "item_id": pl.String}),
    "json": pl.read_json,
    "jsonl": pl.read_ndjson,
}


@pytest.mark.parametrize("suffix", READ)
def test_files_hold_what_the_run_recommends(recommend, dot_run, tmp_path, suffix):
    path = tmp_path / f"recs.{suffix}"
    assert f"6 recommendations for 2 users: {path}" in recommend("user=[42,7]", "top_k=3", f"output={path}")
    written = READ[suffix](path)
    expected = recsys.recommend(dot_run, ["42", "7"], top_k=3)
    assert written.drop("score").rows() == expected.drop("score").rows()
    assert written["rank"].to_list() == [1, 2, 3, 1, 2, 3]
    assert written["score"].to_list() == pytest.approx(expected["score"].to_list(), rel=1e-6)


def test_all_users_in_one_file(recommend, dot_run, tmp_path):
    condition = "where=\"title LIKE '%(1995)%'\""
    recommend("users=all", "top_k=2", condition, f"output={tmp_path / 'a.parquet'}")
    written = pl.read_parquet(tmp_path / "a.parquet")
    assert written["user_id"].n_unique() == dot_run.split.dataset.n_users
    assert written["title"].str.contains("(1995)", literal=True).all()


@pytest.mark.parametrize("output", ["", "recs.csv"])
def test_users_without_an_item_that_is_left_are_told(recommend, dot_run, tmp_path, output):
    served = serve(dot_run)
    users = known_users(served, ["42"])
    only_known = tmp_path / "known.txt"
    only_known.write_text("\n".join(served.items["item_id"].gather(users.history[0].tolist())))
    overrides = [f"candidates={only_known}", *([f"output={tmp_path / output}"] if output else [])]
    assert "1 of 1 users have no recommendation, first '42': no item is left" in recommend("user=42", *overrides)
    assert "have no recommendation" not in recommend("user=42")


def test_a_user_who_is_named_twice_is_refused(recommend):
    with pytest.raises(ConfigError, match="user names '42' more than once"):
        recommend("user=[42,7,42]")


def test_a_new_user_by_items_and_words(recommend, dot_run):
    item_id, title = dot_run.split.dataset.items.select("item_id", "title").row(5)
    shown = recommend(f"history=[{item_id}]", "text='a comedy'", "top_k=3")
    assert "Items with the nearest texts:" in shown
    assert "user new" in shown
    assert title not in shown.split("user new")[1]


def test_reasons_on_the_screen_and_in_files(recommend, tmp_path):
    shown = recommend("user=42", "top_k=3", "n_reasons=2")
    assert "why (exact sum)" in shown
    for suffix in ("csv", "jsonl"):
        path = tmp_path / f"recs.{suffix}"
        recommend("user=42", "top_k=3", "n_reasons=2", f"output={path}")
        written = READ[suffix](path)
        assert written["why_method"].to_list() == ["exact sum"] * 3
        reasons = [json.loads(row) for row in written["why"]] if suffix == "csv" else written["why"].to_list()
        for row in reasons:
            for reason in row:
                assert f"{reason['part']:+.3f}" in shown


def test_reasons_by_the_method_that_is_asked_for(recommend, tmp_path):
    path = tmp_path / "recs.parquet"
    recommend("user=42", "top_k=2", "n_reasons=20", "explain_method=integrated_gradients", f"output={path}")
    written = pl.read_parquet(path)
    assert written["why_method"].to_list() == ["integrated gradients"] * 2
    assert written["why_base"].null_count() == 0


def test_an_unknown_item_in_a_history_is_refused(recommend):
    with pytest.raises(DataError, match="history: found 'x', expected the id of an item"):
        recommend("history=[x]")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "users are named once: .*; found none"),
        (["user=1", "history=[1]"], r"found user=1 and history=\[1\]"),
        (["user=1", "users=all"], "found user=1 and users=all"),
        (["user=1", "mmr=1.5"], r"mmr is 1.5; expected a finite number from 0 to 1"),
        (["user=1", "mmr=0.5", "mmr_pool=0"], "mmr_pool is 0"),
        (["user=1", "n_reasons=0"], "n_reasons is 0; expected a whole number"),
        (["user=1", "n_reasons=true"], "n_reasons is True"),
        (["user=1", "explain_method=shap"], "explain_method is 'shap'; expected auto, leave_one_out, "),
        (["users=some"], "users is 'some'; expected all, a file such as"),
        (["user=1", "top_k=0"], "top_k is 0"),
        (["user=1", "output=recs.xlsx"], "output is 'recs.xlsx'; expected a file that ends in .parquet"),
        (["user=nobody"], "user 'nobody' is not in"),
    ],
)
def test_what_cannot_be_answered_is_refused(recommend, overrides, message):
    with pytest.raises(ConfigError, match=message):
        recommend(*overrides)
