"""Files of users, items and candidates are read as strictly as data, by the same keys and with the same messages."""

from __future__ import annotations

import polars as pl
import pytest

import recsys
from recsys.schema import ConfigError, DataError
from recsys.serving.item_filters import allowed_items
from recsys.serving.new_items import read_items
from recsys.serving.request import check_request
from recsys.serving.table_files import TextFormat, read_ids, read_table

FORMS = {
    "quotes that mean nothing": (b'user_id,text\na,"5 inch\nb,6" wide\n', {"quote": None}, ['"5 inch', '6" wide']),
    "escaped quotes": (b'user_id,text\na,"say \\"hi\\", now"\nb,x\n', {"escape": "\\"}, ['say "hi", now', "x"]),
    "single quotes": (b"user_id,text\na,'one, two'\nb,x\n", {"quote": "'"}, ["one, two", "x"]),
    "latin-1": ("user_id,text\na,café\nb,x\n".encode("latin-1"), {"encoding": "latin-1"}, ["café", "x"]),
    "tabs": (b"user_id\ttext\na\t1,5\nb\tx\n", {"separator": "tab"}, ["1,5", "x"]),
    "two characters": (b"user_id::text\na::1,5\nb::x\n", {"separator": "::"}, ["1,5", "x"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_is_read_as_its_keys_say(name, tmp_path):
    content, keys, expected = FORMS[name]
    (tmp_path / "u.csv").write_bytes(content)
    found = read_table(tmp_path / "u.csv", "users", ["user_id"], TextFormat.of(keys))
    assert found.rows() == list(zip("ab", expected, strict=True))


def test_lists_of_ids_and_json_lines_have_an_encoding(tmp_path):
    latin = TextFormat.of({"encoding": "latin-1"})
    (tmp_path / "u.txt").write_bytes("café\nb\n".encode("latin-1"))
    assert read_ids(tmp_path / "u.txt", latin).to_list() == ["café", "b"]
    (tmp_path / "u.jsonl").write_bytes('{"user_id": "café"}\n'.encode("latin-1"))
    assert read_table(tmp_path / "u.jsonl", "users", ["user_id"], latin)["user_id"].to_list() == ["café"]
    for name in ("u.txt", "u.jsonl"):
        with pytest.raises(DataError, match=rf"{name}:1: byte 0xe9 .*data\.encoding=latin-1"):
            read_ids(tmp_path / name) if name == "u.txt" else read_table(tmp_path / name, "users", [])


def test_columns_with_values_of_several_kinds_are_read(tmp_path):
    (tmp_path / "u.jsonl").write_text('{"user_id": 1, "note": 2, "history": [3]}\n{"user_id": 2, "note": {"a": 1}}\n')
    found = read_table(tmp_path / "u.jsonl", "users", ["user_id"])
    assert found["user_id"].to_list() == ["1", "2"]
    assert found["history"].to_list() == [["3"], None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("u.csv", 'user_id,text\na,"open\nb,x\n', r"users: .*u\.csv:2: .*never closed; set data\.quote=null"),
        ("u.csv", 'user_id,text\na,"b" c"\n', r"u\.csv:2: .*data\.quote=null.*data\.escape"),
        ("u.csv", "user_id,text\na,b,c\nd\ne,f\n", r"u\.csv:2: found 3 fields.*\n.*u\.csv:3: found 1.*\n2 faulty rows"),
        ("u.csv", "user_id\ttext\na\tb\n", r"no column 'user_id'; it has user_id\\ttext\. .*data\.separator=tab"),
        ("u.jsonl", '{"user_id": 1}\n{"user_id": \n', r"u\.jsonl:2: not JSON"),
        ("u.jsonl", '{"user_id": 1}\n[1]\n', r"u\.jsonl:2: found list, expected a JSON object"),
        ("u.jsonl", '{"user_id": 1}\n{"user_id": {"a": 1}}\n', r"u\.jsonl:2: column 'user_id': found a list or an obj"),
    ],
)
def test_a_malformed_file_names_the_line_and_the_key(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / name, "users", ["user_id"])


def test_all_tables_of_the_command_have_the_keys(tmp_path):
    quoted = TextFormat.of({"quote": "'", "separator": ";"})
    (tmp_path / "c.csv").write_text("item_id;text\n'a;b';'x;y'\n")
    items = pl.DataFrame({"item_id": ["a;b", "c"], "text": ["", ""]})
    assert allowed_items(items, None, str(tmp_path / "c.csv"), quoted).tolist() == [True, False]
    assert read_items(tmp_path / "c.csv", items[1:], None, quoted)["text"].to_list() == ["x;y"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.quote=ab", r"data\.quote is 'ab'; expected one character"),
        ("data.encoding=klingon", r"data\.encoding=klingon is unknown"),
        ("data.separator=''", r"data\.separator is ''"),
        ("+data.nosuch=1", r"data\.nosuch is an unknown key"),
    ],
)
def test_impossible_keys_are_refused_before_anything_is_loaded(override, message):
    with pytest.raises(ConfigError, match=message):
        check_request(recsys.compose(["run=none", "user=1", override], "recommend"))
