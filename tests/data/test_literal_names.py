"""A file's name is no pattern: the file of another name beside it is never read."""

from __future__ import annotations

import polars as pl
import pytest

from recsys.data.sources.csv_table import CsvTable
from recsys.data.sources.json_lines import JsonLinesTable
from recsys.data.sources.raw import RawFile
from recsys.data.sources.raw_tables import ParquetTable
from recsys.serving.table_files import read_table

NAMES = ["log[1]", "log*", "log?"]


@pytest.fixture(params=NAMES)
def folder(request, tmp_path):
    """Files whose names are patterns, in such a folder, beside files that the patterns match."""
    made = tmp_path / "f[1]"
    made.mkdir()
    for name, value in ((request.param, "right"), ("log1", "wrong")):
        frame = pl.DataFrame({"item_id": [value]})
        frame.write_csv(made / f"{name}.csv")
        frame.write_ndjson(made / f"{name}.jsonl")
        frame.write_parquet(made / f"{name}.parquet")
    return made, request.param


def test_sources_read_the_file_of_this_name(folder, tmp_path):
    made, name = folder
    files = {ending: RawFile(made / f"{name}.{ending}") for ending in ("csv", "jsonl", "parquet")}
    tables = [
        CsvTable(files["csv"], tmp_path),
        JsonLinesTable(files["jsonl"], tmp_path),
        ParquetTable(files["parquet"]),
    ]
    for table in tables:
        assert table.collect(table.frame)["item_id"].to_list() == ["right"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_files_of_the_commands_are_those_of_this_name(folder, ending):
    made, name = folder
    assert read_table(made / f"{name}.{ending}", "users", ["item_id"])["item_id"].to_list() == ["right"]
