"""Files of users, known and new."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

import recsys
from recsys.commands.recommend import run as recommend_command
from recsys.schema import ConfigError, DataError
from recsys.serving.model import serve
from recsys.serving.new_texts import with_text
from recsys.serving.ranking import rank
from recsys.serving.user_files import users_of_file
from recsys.serving.users import known_users, new_user


@pytest.mark.parametrize(
    ("name", "content"),
    [("u.txt", "42\n\n7\n"), ("u.csv", "user_id\n42\n7\n"), ("u.jsonl", '{"user_id":42}\n{"user_id":7}')],
)
def test_ids_of_the_data(served, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    same, users = users_of_file(served, tmp_path / name)
    assert same is served
    assert users.ids.to_list() == ["42", "7"]
    assert torch.equal(rank(served, users, 5).items, rank(served, known_users(served, ["42", "7"]), 5).items)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_new_users_by_history_and_words_are_each_as_alone(served, tmp_path, suffix):
    first, second = served.items["item_id"].head(2)
    rows = pl.DataFrame(
        {"user_id": ["a", "b", "c"], "history": [[first, second], [second], []], "text": [None, "a comedy", "a drama"]},
        schema_overrides={"history": pl.List(pl.String)},
    )
    path = tmp_path / f"users.{suffix}"
    if suffix == "csv":
        rows.with_columns(pl.col("history").list.join("|")).write_csv(path)
    else:
        rows.write_ndjson(path)
    extended, users = users_of_file(served, path)
    found = rank(extended, users, 5)
    assert users.ids.to_list() == ["a", "b", "c"]
    pseudo = served.n_items
    expected = [
        rank(served, new_user(np.array([0, 1])), 5),
        rank(with_text(served, "a comedy"), new_user(np.array([1, pseudo])), 5),
        rank(with_text(served, "a drama"), new_user(np.array([pseudo])), 5),
    ]
    for row, each in enumerate(expected):
        assert torch.equal(found.items[row], each.items[0])
        torch.testing.assert_close(found.scores[row], each.scores[0], rtol=1e-4, atol=1e-5)


def test_the_command_takes_a_file(dot_run, tmp_path):
    (tmp_path / "u.jsonl").write_text('{"text": "a comedy"}\n{"text": "a drama"}\n')
    users, output = tmp_path / "u.jsonl", tmp_path / "recs.parquet"
    recommend_command(recsys.compose([f"run={dot_run.folder}", f"users={users}", f"output={output}"], "recommend"))
    assert pl.read_parquet(output)["user_id"].unique(maintain_order=True).to_list() == ["new 1", "new 2"]


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("id\n42\n", DataError, "has no column 'user_id'; it has id"),
        ("user_id\n", DataError, "names no users"),
        ("user_id\n42\n7\n42\n", DataError, "row 3: found the user '42' again"),
        ("user_id\n42\nnobody\n", ConfigError, "user 'nobody' is not in"),
        ("user_id,history\na,1\nb,\n", DataError, "row 2 has neither history nor text"),
        ("user_id,history\na,x\n", DataError, "found 'x', expected the id of an item"),
        ("user_id,text\na,qwxz\n", DataError, "row 1: the run's encoder knows no word of 'qwxz'"),
    ],
)
def test_a_malformed_file_is_refused(served, tmp_path, content, error, message):
    (tmp_path / "u.csv").write_text(content)
    with pytest.raises(error, match=message):
        users_of_file(served, tmp_path / "u.csv")


def test_histories_that_are_no_lists_are_refused(served, tmp_path):
    (tmp_path / "u.jsonl").write_text('{"history": 5}\n')
    with pytest.raises(DataError, match="column 'history' is Int64; expected lists of item ids"):
        users_of_file(served, tmp_path / "u.jsonl")


def test_a_model_that_knows_nothing_of_new_users_says_so(run_of, tmp_path):
    (tmp_path / "u.jsonl").write_text('{"history": [1]}\n')
    with pytest.raises(ConfigError, match="profile=id, which learns a vector for each user of the data"):
        users_of_file(serve(run_of("encoder=none", "ranker=cf")), tmp_path / "u.jsonl")


def test_one_numpy_integer_asks_for_one_user(dot_run):
    assert recsys.recommend(dot_run, np.int64(42), 2).equals(recsys.recommend(dot_run, "42", 2))
