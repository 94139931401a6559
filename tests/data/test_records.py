"""Rows of text files are counted from their bytes, whatever quotes the file has."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from recsys.data.sources import records
from recsys.data.sources.records import StrayQuoteError, lines_of, survey
from recsys.data.sources.table import Interactions, Items, TableSource
from recsys.schema import DataError

LOG = "user_id,item_id\n1,1\n1,2\n1,3\n"


@pytest.fixture(params=[1 << 24, 1])
def _block(request, monkeypatch):
    """Blocks of many lines, and of one line."""
    monkeypatch.setattr(records, "_BLOCK", request.param)


def read(folder, items: str, log: str = LOG, suffix: str = "csv", **keys):
    (folder / "log.csv").write_text(log)
    (folder / f"items.{suffix}").write_bytes(items.encode())
    return TableSource(
        str(folder), Interactions("log.csv"), Items(f"items.{suffix}", template="{title}"), **keys
    ).read()


@pytest.mark.usefixtures("_block")
def test_records_are_those_of_pythons_reader(tmp_path):
    draw = np.random.default_rng(0)
    fields = ["", "a", "b,c", 'd "e"', "f\ng", "h\r\ni", ",", '"', "\n\n", "é"]
    rows = [list(draw.choice(fields, size=4)) for _ in range(200)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    starts = []
    for row in rows:
        starts.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    (tmp_path / "t.csv").write_bytes(text.getvalue().encode())
    found = survey(tmp_path / "t.csv", ",", '"', spans_lines=True)
    assert (found.n, found.n_fields, len(found.ragged), found.has_quotes) == (200, 4, 0, True)
    assert lines_of(tmp_path / "t.csv", '"', np.arange(200)) == starts


@pytest.mark.usefixtures("_block")
def test_blank_and_ragged_rows_are_numbered(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\n\r\na,b\r\n1,2\n\n3\n4,5,6\n7,8,\n,\n")
    found = survey(tmp_path / "t.csv", ",", '"')
    assert (found.n, found.lead, found.n_fields) == (7, 2, 2)
    assert (found.blank.tolist(), found.ragged.tolist(), found.found.tolist()) == ([2], [3, 4], [1, 3])


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize(
    ("text", "line", "attribute"),
    [
        ('a,b\n1,"x" y\n', 2, None),
        ('a,b\n1,"x"\n2,y" z\n', 3, None),
        ('a,b\n1,"x\\" y"\n', 2, "is_escaped"),
        ('a,b\n1,"x\ny\nz\n', 2, "is_open"),
        ('a,b\n1,"x\ny" z\n', 2, None),
        ('a,b\n1, "x,y"\n', 2, None),
    ],
)
def test_a_stray_quote_is_named(text, line, attribute, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(StrayQuoteError) as caught:
        survey(tmp_path / "t.csv", ",", '"')
    assert caught.value.line == line
    assert [name for name in ("is_open", "is_escaped") if getattr(caught.value, name)] == [attribute] * bool(attribute)


def test_two_unclosed_quotes_do_not_swallow_the_rows_between(tmp_path):
    with pytest.raises(DataError, match=r"items\.csv:2: .*data\.quote=null .*, or data\.escape='\"'"):
        read(tmp_path, 'item_id,title\n1,"one\n2,two\n3,three"\n')
    swallowed = read(tmp_path, 'item_id,title\n1,"one\n2,two\n3,three"\n', "user_id,item_id\n1,1\n", escape='"')
    assert swallowed.texts == ["one\n2,two\n3,three"]
    whole = read(tmp_path, 'item_id,title\n1,"one\n2,two\n3,three"\n', quote=None)
    assert sorted(whole.texts) == ['"one', 'three"', "two"]


def test_line_breaks_in_texts_are_read(tmp_path):
    assert sorted(read(tmp_path, 'item_id,title\n1,"one\nmore"\n2,"two, and\nmore"\n3,t\n').texts) == [
        "one\nmore",
        "t",
        "two, and\nmore",
    ]


def test_quotes_that_open_no_field_are_characters(tmp_path):
    items = 'item_id,title\n1,A 12" disc\n2,B 7"\n3,C\n'
    assert sorted(read(tmp_path, items).texts) == ['A 12" disc', 'B 7"', "C"]


def test_a_quote_in_a_column_that_nobody_reads_loses_no_row(tmp_path):
    rows = [f"{n % 50}\ti{n}\t{'my 12' + chr(34) if n in (100, 150) else 'nice'}" for n in range(2000)]
    (tmp_path / "log.tsv").write_text("\n".join(["user_id\titem_id\treview", *rows]))
    assert TableSource(str(tmp_path), Interactions("log.tsv")).read().interactions.height == 2000


@pytest.mark.parametrize("escape", ["\\", r"\\"])
def test_escaped_quotes(escape, tmp_path):
    items = '"item_id","title"\r\n"1","A 12\\" disc"\r\n"2","C:\\\\"\r\n"3","plain \\n"\r\n'
    assert sorted(read(tmp_path, items, escape=escape).texts) == ['A 12" disc', "C:\\", "plain \\n"]
    with pytest.raises(DataError, match=r"items\.csv:2: .*data\.escape='\\\\' if .*data\.quote=null"):
        read(tmp_path, items)


@pytest.mark.parametrize(
    "keys",
    [{"separator": 5}, {"separator": ""}, {"quote": "ab"}, {"quote": 5}, {"escape": "é"}, {"encoding": "base64"}],
)
def test_impossible_characters_name_their_key(keys, tmp_path):
    with pytest.raises(Exception, match=rf"data\.{next(iter(keys))}"):
        read(tmp_path, "item_id,title\n1,a\n2,b\n3,c\n", **keys)
