"""Each way in which a table can be malformed, and what its reader is told."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from recsys.data.sources.table import Interactions, Items, TableSource
from recsys.schema import ConfigError, DataError

HEADER = "user_id,item_id,rating,time\n"
GOOD = "1,a,5,1000\n2,b,3.5,2000\n"
LOG = Interactions("log.csv", rating="rating", timestamp="time")


def refusal(folder: Path, content: str | bytes, log: Interactions = LOG, items: Items | None = None, **keys) -> str:
    path = folder / log.file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        TableSource(str(folder), log, items, **keys).read()
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("3,c,good,3000", "log.csv:4: column 'rating': found 'good', expected a finite number."),
        ("3,c,,3000", "log.csv:4: column 'rating': found nothing, expected a finite number."),
        ("3,c,NaN,3000", "log.csv:4: column 'rating': found 'NaN', expected a finite number."),
        ("3,c,inf,3000", "log.csv:4: column 'rating': found 'inf', expected a finite number."),
        ("3,c,-1e99,3000", "log.csv:4: column 'rating': found '-1e99', expected a finite number."),
        (",c,5,3000", "log.csv:4: column 'user_id': found nothing, expected an id."),
        ('3,"",5,3000', "log.csv:4: column 'item_id': found nothing, expected an id."),
        ("3,c,5", "log.csv:4: found 3 fields, expected 4 as in line 1; check data.separator"),
        ("3,c,5,-1", "log.csv:4: column 'time': found '-1', expected a time between 1970 and 2100"),
        ("3,c,5,yesterday", "log.csv:4: column 'time': found 'yesterday', expected a time between 1970 and 2100"),
        ("3,c,5,3000,x", "log.csv:4: found 5 fields, expected 4 as in line 1; check data.separator"),
        ('3,"c,5,3000', "log.csv:4: a quoted field that is malformed"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, row, said):
    assert refusal(tmp_path, HEADER + GOOD + row + "\n4,d,1,4000\n").startswith(said)


def test_milliseconds_taken_for_seconds(tmp_path):
    log = Interactions("log.csv", timestamp="time", timestamp_unit="s")
    said = refusal(tmp_path, HEADER + "1,a,5,1600000000000\n", log)
    assert said.startswith(
        "log.csv:2: column 'time': found '1600000000000', expected a time between 1970 and 2100 in s"
    )
    assert said.endswith("if it has another form, set data.interactions.timestamp_unit=auto, or to its form.")


def test_seconds_taken_for_milliseconds(tmp_path):
    log = Interactions("log.csv", timestamp="time", timestamp_unit="ms")
    said = refusal(tmp_path, HEADER + "1,a,5,1600000000\n", log)
    assert said == (
        "log.csv: as ms since 1970 no timestamp is later than 1970; is data.interactions.timestamp_unit=s meant?"
    )


def test_a_unit_that_is_unknown(tmp_path):
    log = Interactions("log.csv", timestamp="time", timestamp_unit="hours")
    (tmp_path / "log.csv").write_text(HEADER + GOOD)
    with pytest.raises(
        ConfigError, match=r"data\.interactions\.timestamp_unit=hours is unknown; use auto, iso, s, ms, us, ns or"
    ):
        TableSource(str(tmp_path), log).read()


def test_the_line_is_right_after_line_breaks_and_blank_lines(tmp_path):
    rows = '1,"a\nb\nc",5,1000\n\n2,b,bad,2000\n'
    assert refusal(tmp_path, HEADER + rows).startswith("log.csv:6: column 'rating': found 'bad'")


def test_blank_lines_alone_are_no_mistake(tmp_path):
    (tmp_path / "log.csv").write_text(HEADER + "\n" + GOOD + "\n\n")
    assert TableSource(str(tmp_path), LOG).read().interactions.height == 2


def test_a_missing_column(tmp_path):
    said = refusal(tmp_path, "User_ID,item_id,rating,time\n" + GOOD)
    assert said == (
        "log.csv: there is no column 'user_id' (data.interactions.user); found User_ID, item_id, rating, time; "
        "did you mean 'User_ID'?"
    )


def test_the_wrong_separator_shows_in_the_columns(tmp_path):
    said = refusal(tmp_path, (HEADER + GOOD).replace(",", ";"))
    assert said == (
        "log.csv: there is no column 'user_id' (data.interactions.user); found user_id;item_id;rating;time. "
        """The header has semicolons: set "data.separator=';'"."""
    )


@pytest.mark.parametrize("content", ["", HEADER])
def test_an_empty_file(tmp_path, content):
    assert refusal(tmp_path, content) in ("log.csv: the file is empty.", "log.csv: there are no rows.")


def test_another_encoding(tmp_path):
    said = refusal(tmp_path, (HEADER + GOOD + "3,café,5,3000\n").encode("latin-1"))
    assert said == (
        "log.csv:4: byte 0xe9 at position 6 of the line is not utf-8; if the file is in another encoding, "
        "name it: data.encoding=latin-1."
    )


def test_another_encoding_shows_in_the_header(tmp_path):
    said = refusal(tmp_path, (HEADER + GOOD).encode("utf-16"))
    assert said.startswith("log.csv:1: byte 0xff at position 1 of the line is not utf-8")
    (tmp_path / "log.csv").write_bytes((HEADER + GOOD).encode("utf-16"))
    assert TableSource(str(tmp_path), LOG, encoding="utf-16").read().interactions.height == 2


def test_an_encoding_that_is_unknown(tmp_path):
    (tmp_path / "log.csv").write_text(HEADER + GOOD)
    with pytest.raises(ConfigError, match=r"data\.encoding=latin-99 is unknown; use a name such as utf-8, latin-1"):
        TableSource(str(tmp_path), LOG, encoding="latin-99").read()


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_ratings_of_jsonl_that_are_not_finite(tmp_path, written):
    rows = f'{{"user_id": 1, "item_id": 2, "rating": 3}}\n\n{{"user_id": 1, "item_id": 3, "rating": {written}}}\n'
    said = refusal(tmp_path, rows, Interactions("log.jsonl", rating="rating"))
    assert (
        said == f"log.jsonl:3: column 'rating': found {float(written)}, expected a finite number (JSON has no other)."
    )


def test_lists_in_place_of_ids(tmp_path):
    said = refusal(tmp_path, '{"user_id": [1], "item_id": 2}\n', Interactions("log.jsonl"))
    assert said == "log.jsonl:1: column 'user_id': found '[1]', expected an id."


def test_another_encoding_in_a_gzip_and_under_a_named_encoding(tmp_path):
    content = (HEADER + GOOD + "3,café,5,3000\n").encode("latin-1")
    log = Interactions("log.csv.gz", rating="rating", timestamp="time")
    assert refusal(tmp_path, gzip.compress(content), log).startswith("log.csv.gz:4: byte 0xe9")
    assert refusal(tmp_path, content, encoding="ascii").startswith("log.csv:4: byte 0xe9 at position 6")


def test_a_damaged_gzip(tmp_path):
    log = Interactions("log.csv.gz", rating="rating", timestamp="time")
    said = refusal(tmp_path, gzip.compress((HEADER + GOOD).encode())[:-10], log)
    assert said.startswith("log.csv.gz: cannot be unpacked")


def test_parquet_that_is_none_and_rows_of_parquet(tmp_path):
    log = Interactions("log.parquet", rating="rating")
    assert refusal(tmp_path, "no parquet", log).startswith("log.parquet: not a parquet file")
    pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "rating": [1.0, None]}).write_parquet(tmp_path / "log.parquet")
    said = refusal(tmp_path, (tmp_path / "log.parquet").read_bytes(), log)
    assert said == "log.parquet, row 2: column 'rating': found nothing, expected a finite number."


def test_items_that_are_there_twice_or_without_id(tmp_path):
    items = Items("items.csv", template="{item_id}")
    (tmp_path / "items.csv").write_text("item_id,title\na,A\nb,B\na,C\n")
    said = refusal(tmp_path, HEADER + GOOD, items=items)
    assert said == "items.csv:4: column 'item_id': found 'a' again, expected each id once."
    (tmp_path / "items.csv").write_text("item_id,title\na,A\n,B\n")
    assert refusal(tmp_path, HEADER + GOOD, items=items).startswith("items.csv:3: column 'item_id': found nothing")
    (tmp_path / "items.csv").write_text("item_id,title\n")
    assert refusal(tmp_path, HEADER + GOOD, items=items) == "items.csv: there are no rows."


def test_a_format_that_says_nothing_of_its_separator(tmp_path):
    (tmp_path / "log.dat").write_text(HEADER.replace(",", "::") + GOOD.replace(",", "::"))
    log = Interactions("log.dat", rating="rating", timestamp="time")
    with pytest.raises(ConfigError, match=r"data\.separator: give the separator between the columns of .*log\.dat"):
        TableSource(str(tmp_path), log).read()
    assert TableSource(str(tmp_path), log, separator="::").read().n_users == 2
