"""Ids are what was written, from the command line to the answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recsys
from recsys.schema import ConfigError, DataError
from recsys.serving.table_files import read_ids, read_table
from recsys.support.ids import ids_of, ids_of_key


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12_345", ["12_345"]),
        ("1e5", ["1e5"]),
        ("true", ["true"]),
        ("0012", ["0012"]),
        ("'12_345'", ["12_345"]),
        ("[12_345,1e5,'a,b',007]", ["12_345", "1e5", "a,b", "007"]),
        ("[7]", ["7"]),
        ("7", ["7"]),
        ("-5", ["-5"]),
        ("1.50", ["1.50"]),
        ("'null'", ["null"]),
        ("null", []),
        ("[]", []),
    ],
)
@pytest.mark.parametrize("key", ["user", "history"])
def test_ids_of_the_command_line(key, written, expected):
    assert ids_of_key(recsys.compose(["run=x", f"{key}={written}"], "recommend"), key) == expected


@pytest.mark.parametrize("written", ["[[1]]", "{a: 1}", "''"])
def test_what_is_no_id_on_the_command_line(written):
    with pytest.raises(ConfigError, match=r"user is .*; expected an id"):
        ids_of_key(recsys.compose(["run=x", f"user={written}"], "recommend"), "user")


@pytest.mark.parametrize(
    "value",
    [
        ["7", "8"],
        [7, 8],
        np.array([7, 8]),
        pl.Series([7, 8]),
        pd.Series([7, 8]),
        pl.DataFrame({"user_id": ["7", "8"], "x": [1, 2]}),
        pd.DataFrame({"user_id": [7, 8], "x": [1, 2]}),
    ],
    ids=lambda value: type(value).__module__ + type(value).__name__,
)
def test_ids_of_python(value):
    assert ids_of(value) == ["7", "8"]


@pytest.mark.parametrize(
    "value", [True, 1.0, None, "", [1.5], np.float64(1), [None], pl.DataFrame({"a": [1], "b": [1]})]
)
def test_what_is_no_id_in_python(value):
    with pytest.raises(ConfigError, match="user_id"):
        ids_of(value)


def test_files_of_ids(tmp_path):
    (tmp_path / "u.txt").write_bytes("\ufeff12_345\r\n\r\n0012\r\na\u2028b\r\n".encode())
    assert read_ids(tmp_path / "u.txt").to_list() == ["12_345", "0012", "a\u2028b"]
    (tmp_path / "u.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match=r"u\.txt:1: byte 0xe9"):
        read_ids(tmp_path / "u.txt")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("u.csv", "\ufeffuser_id,note\n0012,\n1e5,a\n"),
        ("u.tsv", '\ufeffuser_id\tnote\n0012\tmy 12" disc\n1e5\tmy 7"\n'),
        ("u.jsonl", '\ufeff{"user_id": "0012"}\n{"user_id": "1e5"}\n'),
    ],
)
def test_tables_of_ids(name, content, tmp_path):
    (tmp_path / name).write_bytes(content.encode())
    assert read_table(tmp_path / name, "users", ["user_id"])["user_id"].to_list() == ["0012", "1e5"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("u.csv", 'user_id,note\n1,"a" b\n2,c\n', r"users: .*u\.csv:2: a quoted field that is malformed"),
        ("u.csv", "user_id,note\n1,a\n2,b,c\n", r"users: .*u\.csv:3: found 3 fields, expected 2"),
        ("u.csv", "user_id,note\n1,a\n,b\n", "row 2 has no user_id"),
        ("u.jsonl", '{"user_id": [1]}\n', "u.jsonl:1: column 'user_id': found a list or an object"),
        ("u.jsonl", '{"user_id": {"a": 1}}\n', "u.jsonl:1: column 'user_id': found a list or an object"),
    ],
)
def test_malformed_tables_of_ids(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / name, "users", ["user_id"])
