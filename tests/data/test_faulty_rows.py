"""Faulty rows are all found before an error, or dropped and counted by kind."""

from __future__ import annotations

import gzip
import json
import logging

import polars as pl
import pytest

from recsys.data.sources.faults import faulty_rows_warnings
from recsys.data.sources.table import Interactions, Items, TableSource, Users
from recsys.schema import ConfigError, DataError

LOG = Interactions("log.csv", rating="rating", timestamp="time")
THINGS = Items("items.csv", template="{title}")
ROWS = [
    "user_id,item_id,rating,time",
    "1,a,5,1000",
    "2,b,x,1000",
    "3,c,5,-5",
    ",d,5,1000",
    "4,e,5",
    "5,f,5,1000,9",
    "6,z,5,1000",
    "7,a,5,1000,",
    "",
    ",,,",
    "8,b,5,1000",
]
ITEMS = "item_id,title\na,A\nb,B\nc,C\nd,D\ne,E\nf,F\na,G\n,H\nh\n"
KINDS = {
    "rows with too many fields": 1,
    "rows with too few fields": 2,
    "rows without an id": 3,
    "rows with a bad number": 1,
    "rows with a bad time": 1,
    "rows that repeat an id": 1,
    "interactions with unknown items": 1,
}


def source(folder, rows=ROWS, log=LOG, items=THINGS, **keys):
    (folder / log.file).write_text("\n".join(rows) + "\n")
    (folder / "items.csv").write_text(ITEMS)
    return TableSource(str(folder), log, items, **keys)


def test_an_error_lists_all_kinds_in_one_go(tmp_path):
    with pytest.raises(DataError) as caught:
        source(tmp_path).read()
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    places = [line.split(": ")[0] for line in lines[:-1]]
    assert places == [*(f"log.csv:{n}" for n in (3, 4, 5, 6, 7, 8, 11)), *(f"items.csv:{n}" for n in (8, 9, 10))]
    kinds = ", ".join(f"{kind} {count}" for kind, count in KINDS.items())
    share = "70% of the rows of log.csv are faulty: check it and the keys that describe it."
    assert lines[-1] == f"10 faulty rows in all: {kinds}. {share}"


def test_dropped_rows_are_counted_by_kind(tmp_path):
    data = source(tmp_path, bad_rows="drop").read()
    assert data.dropped == KINDS
    assert sorted(data.users["user_id"]) == ["1", "7", "8"]
    assert sorted(data.items["item_id"]) == ["a", "b", "c", "d", "e", "f"]
    assert data.items.filter(pl.col("item_id") == "a")["text"].to_list() == ["A"]


def test_an_error_lists_twenty_rows(tmp_path):
    with pytest.raises(DataError) as caught:
        source(tmp_path, [ROWS[0], *(f"{n},a,x,1" for n in range(50))]).read()
    *listed, last = str(caught.value).splitlines()
    assert len(listed) == 20
    assert last.startswith("50 faulty rows in all (the first 20 are listed): rows with a bad number 50. ")


@pytest.mark.parametrize(("n_good", "is_dropping_advised"), [(3, True), (2, True), (1, False), (0, False)])
@pytest.mark.parametrize("kind", ["number", "item"])
def test_dropping_is_not_advised_if_most_rows_are_faulty(n_good, is_dropping_advised, kind, tmp_path):
    bad = {"number": "a,x", "item": "z,5"}[kind]
    rows = [ROWS[0], *(f"{n},a,5,1" for n in range(n_good)), f"8,{bad},1", f"9,{bad},1"]
    things = source(tmp_path, rows)
    (tmp_path / "items.csv").write_text("item_id,title\na,A\n")
    with pytest.raises(DataError) as caught:
        things.read()
    assert ("=drop" in str(caught.value)) is is_dropping_advised
    if not is_dropping_advised:
        share = f"{2 / (2 + n_good):.0%}"
        assert f"{share} of the rows of {tmp_path}/log.csv are faulty: check it and the keys" in str(caught.value)


def test_nothing_left_is_an_error_with_the_counts(tmp_path):
    with pytest.raises(DataError, match=r"no row is left \(rows with a bad number 1\); data\.bad_rows=error lists"):
        source(tmp_path, [ROWS[0], "1,a,x,1"], bad_rows="drop").read()
    with pytest.raises(ConfigError, match=r"data\.bad_rows=keep is unknown; use error or drop"):
        source(tmp_path, bad_rows="keep")


def test_unknown_users_are_faulty_rows(tmp_path):
    (tmp_path / "users.csv").write_text("user_id\n1\n")
    log = ["user_id,item_id", "1,a", "2,a"]
    both = source(tmp_path, log, Interactions("log.csv"), Items(), users=Users("users.csv"), bad_rows="drop")
    assert both.read().dropped == {"interactions with unknown users": 1}


def test_a_separator_at_the_end_of_rows_is_no_fault(tmp_path):
    for header in ("user_id,item_id", "user_id,item_id,"):
        data = source(tmp_path, [header, "1,a,", "2,b,", "3,c"], Interactions("log.csv"), Items()).read()
        assert (data.n_users, data.dropped) == (3, {})


def test_a_file_without_a_header(tmp_path):
    rows, bare = ["1,1193,77,pv,978300760", "1,1194,77,pv,978300761"], Interactions("log.csv", timestamp="time")
    with pytest.raises(DataError, match=r"The first row looks like data: .* data\.header=false and name its 5 columns"):
        source(tmp_path, rows, bare, Items()).read()
    with pytest.raises(DataError, match=r"column '1' is named by a value\. The first row looks like data"):
        source(tmp_path, rows, Interactions("log.csv", user="1", item="1193"), Items()).read()
    with pytest.raises(ConfigError, match=r"data\.header=false needs data\.columns=.*'1', '1193', '77', 'pv'"):
        source(tmp_path, rows, bare, Items(), header=False).read()
    with pytest.raises(DataError, match=r"log\.csv:1: found 5 fields, expected 3"):
        source(tmp_path, rows, bare, Items(), header=False, columns=["user_id", "item_id", "time"]).read()
    columns = ["user_id", "item_id", "category", "behavior", "time"]
    assert source(tmp_path, rows, bare, Items(), header=False, columns=columns).read().interactions.height == 2
    late = ["", *rows, "2,3,4,pv,soon"]
    with pytest.raises(DataError, match=r"log\.csv:4: column 'time': found 'soon'"):
        source(tmp_path, late, bare, Items(), header=False, columns=columns).read()
    with pytest.raises(ConfigError, match=r"data\.columns .*: set data\.header=false"):
        source(tmp_path, rows, bare, Items(), columns=columns)


@pytest.mark.parametrize("first", ["1,a", '"1', "1,a,5,1000,9,9", '"1",2,"a\nb"'])
@pytest.mark.parametrize("blank", ["", "\n"])
def test_the_first_row_of_a_file_without_a_header_may_be_faulty(first, blank, tmp_path):
    text = first + '"' * (first.count('"') % 2)
    rows = [f"{blank}{text}", "2,b,4,1000", "3,c,3,1000"]
    keys = {"header": False, "columns": ["user_id", "item_id", "rating", "time"]}
    with pytest.raises(DataError, match=rf"log\.csv:{1 + len(blank)}: found \d fields, expected 4"):
        source(tmp_path, rows, LOG, Items(), **keys).read()
    data = source(tmp_path, rows, LOG, Items(), bad_rows="drop", **keys).read()
    assert sorted(data.interactions["value"]) == [3.0, 4.0]
    assert sum(data.dropped.values()) == 1


@pytest.mark.parametrize("written", ["tab", "\t", r"\t", r"\\t"])
def test_tabs_are_written_in_several_ways(written, tmp_path):
    log = ["user_id\titem_id", "1\ta"]
    assert source(tmp_path, log, Interactions("log.csv"), Items(), separator=written).read().n_users == 1
    with pytest.raises(DataError, match=r"found user_id\\titem_id; .* The header has tabs: set data\.separator=tab\."):
        source(tmp_path, log, Interactions("log.csv"), Items()).read()


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("|", "bars")])
@pytest.mark.parametrize("user", ["1", '"1"'])
def test_an_error_about_another_separator_names_it(mark, name, user, tmp_path):
    rows = [f"user_id{mark}item_id", f"{user}{mark}a"]
    with pytest.raises(DataError) as told:
        source(tmp_path, rows, Interactions("log.csv"), Items()).read()
    assert str(told.value).endswith(f" The header has {name}: set \"data.separator='{mark}'\".")


@pytest.mark.parametrize("packed", [False, True])
def test_marks_and_encodings_of_json_lines(packed, tmp_path):
    for content, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"", "latin-1"), (b"", "utf-16")):
        text = content + '{"user_id": 1, "item_id": "café"}\n'.encode(encoding)
        name = "log.jsonl.gz" if packed else "log.jsonl"
        (tmp_path / name).write_bytes(gzip.compress(text) if packed else text)
        data = TableSource(str(tmp_path), Interactions(name), encoding=encoding).read()
        assert data.items["item_id"].to_list() == ["café"]


def test_objects_among_plain_values_are_named(tmp_path):
    rows = [{"user_id": n, "item_id": 1, "note": {"a": 1} if n == 4 else n} for n in range(5)]
    rows[2]["user_id"] = {"k": 1}
    with pytest.raises(DataError, match=r"log\.jsonl:3: column 'user_id': found .*, expected an id"):
        source(tmp_path, [json.dumps(row) for row in rows], Interactions("log.jsonl"), Items()).read()


def test_lists_and_objects_are_no_ids_in_late_rows_either(tmp_path):
    rows = [{"user_id": n, "item_id": n % 7} for n in range(10_050)]
    rows += [{"user_id": [1], "item_id": 1}, {"user_id": 1, "item_id": {"k": 1}}, {"user_id": "[1]", "item_id": 1}]
    lines = [json.dumps(row) for row in rows]
    log = Interactions("log.jsonl")
    with pytest.raises(
        DataError, match=r"log\.jsonl:10051: column 'user_id': found '\[1\]', expected an id\.\n.*:10052"
    ):
        source(tmp_path, lines, log, Items()).read()
    data = source(tmp_path, lines, log, Items(), bad_rows="drop").read()
    assert data.dropped == {"rows without an id": 2}
    assert "[1]" in data.users["user_id"]
    with pytest.raises(DataError, match=r"log\.jsonl:2: column 'user_id': found nothing"):
        source(tmp_path, ['{"user_id": 1, "item_id": 2}', "{}"], log, Items()).read()


def test_texts_that_are_sometimes_lists_become_words(tmp_path):
    things = [
        {"item_id": 1, "title": "[Live] one", "kinds": [["Books", "SF"], ["Gifts"]]},
        {"item_id": 2, "title": ["two", {"more": "words"}], "kinds": "Music"},
    ]
    (tmp_path / "things.jsonl").write_text("\n".join(map(json.dumps, things)))
    items = Items("things.jsonl", template="{title}", categories="kinds")
    data = source(tmp_path, ["user_id,item_id", "1,1", "1,2"], Interactions("log.csv"), items).read()
    assert data.items.sort("item_id")["text"].to_list() == ["[Live] one", "two, words"]
    assert data.items.sort("item_id")["categories"].to_list() == [["Books", "SF", "Gifts"], ["Music"]]


def test_objects_of_parquet_are_no_ids_and_harmless_elsewhere(tmp_path):
    pl.DataFrame({"item_id": ["a"], "title": ["A"], "raw": [b"\xff"], "size": [{"w": 1}]}).write_parquet(
        tmp_path / "things.parquet"
    )
    log = ["user_id,item_id", "1,a"]
    assert source(tmp_path, log, Interactions("log.csv"), Items("things.parquet", template="{title}")).read().texts == [
        "A"
    ]
    with pytest.raises(DataError, match=r"column 'size' \(data\.items\.id\) is Struct.*; expected texts, numbers or"):
        source(tmp_path, log, Interactions("log.csv"), Items("things.parquet", id="size")).read()


def test_ids_that_stand_for_missing_values_are_ids_with_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        data = source(tmp_path, ["user_id,item_id", "nan,a", "None,a", "1,a"], Interactions("log.csv"), Items()).read()
    assert sorted(data.users["user_id"]) == ["1", "None", "nan"]
    assert "column 'user_id': 2 rows have the id 'nan', which often means a missing value" in caplog.text


@pytest.mark.parametrize(
    ("unit", "written", "expected"),
    [
        ("iso", "2020-09-13", 1599955200_000000),
        ("iso", "2020-09-13 12:26", 1600000000_000000 - 40_000000),
        ("iso", "2020-09-13T12:26:40Z", 1600000000_000000),
        ("iso", "2020-09-13T14:26:40.123456+02:00", 1600000000_123456),
        ("iso", "2020-09-13 04:56:40.5-0730", 1600000000_500000),
        ("auto", "1600000000.5", 1600000000_500000),
        ("auto", "1600000000123", 1600000000_123000),
        ("auto", "1600000000123456", 1600000000_123456),
        ("auto", "1600000000123456789", 1600000000_123456),
        ("auto", "2020-09-13T14:26:40+02", 1600000000_000000),
        ("s", "1.6e9", 1600000000_000000),
        ("ms", "1600000000123.5", 1600000000_123500),
        ("us", "1600000000123456.7", 1600000000_123457),
        ("ns", "1600000000123456789", 1600000000_123456),
        ("%Y-%m-%d %H:%M:%S.%f", "2020-09-13 12:26:40.000025", 1600000000_000025),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2020-09-13T14:26:40.25+0200", 1600000000_250000),
        ("%Y-%m-%dT%H:%M:%S%z", "2020-09-13T12:26:40Z", 1600000000_000000),
        ("%a %b %d %H:%M:%S %z %Y", "Sun Sep 13 05:26:40 -0700 2020", 1600000000_000000),
    ],
)
def test_times_of_many_forms(unit, written, expected, tmp_path):
    log = Interactions("log.csv", timestamp="time", timestamp_unit=unit)
    data = source(tmp_path, ["user_id,item_id,time", f"1,a,{written}"], log, Items()).read()
    assert data.interactions["timestamp"].to_list() == [expected]


def test_a_fraction_without_its_point_is_refused():
    with pytest.raises(ConfigError, match=r"timestamp_unit=%H%f: write a fraction of a second as %S\.%f"):
        _ = Interactions("log.csv", timestamp="time", timestamp_unit="%H%f").columns()


@pytest.mark.parametrize("written", ["2020-13-01", "20200913", "2020-09-13T25:00", "noon"])
def test_times_that_are_none(written, tmp_path):
    log = Interactions("log.csv", timestamp="time", timestamp_unit="iso")
    with pytest.raises(
        DataError, match=r"log\.csv:2: column 'time': found '.*', expected a time .* such as 2020-09-13"
    ):
        source(tmp_path, ["user_id,item_id,time", f"1,a,{written}"], log, Items()).read()


@pytest.mark.parametrize(
    "keys", [{"user": 5}, {"user": None}, {"rating": ["a"]}, {"timestamp_unit": 5}, {"file": None}]
)
def test_keys_of_other_types_are_named(keys):
    with pytest.raises(ConfigError, match=rf"data\.interactions\.{next(iter(keys))} is .*; expected a text"):
        Interactions(**{"file": "log.csv"} | keys)


def test_many_dropped_rows_give_a_warning_with_their_share():
    assert faulty_rows_warnings({"rows without an id": 1, "repeated (user, item) pairs": 900}, 99) == []
    dropped = {"rows without an id": 1, "interactions with unknown items": 4, "repeated (user, item) pairs": 5}
    (warning,) = faulty_rows_warnings(dropped, 90)  # 5 of 100
    assert warning.startswith("5.0% of the rows are faulty and were dropped: rows without an id 1, interactions with")
    assert "data.items.unknown=error" in warning
