"""Small data sets in the layout of each source."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from malformed.files import Layout, json_lines, parquet, table
from malformed.public_layouts import PUBLIC

FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"


def _fixture(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        shutil.copytree(FIXTURES / name, folder, dirs_exist_ok=True)

    return make


_LOG = ["data.interactions.rating=rating", "data.interactions.timestamp=time"]
_HEADER = "user_id{s}item_id{s}rating{s}time"


def _plain(file: str, separator: str, written: str = "") -> Layout:
    keys = ["data=table", f"data.interactions.file={file}", *_LOG, *([f"data.separator={written}"] if written else [])]
    make = table(separator, _HEADER.format(s=separator), file)
    return Layout(file, make, keys, file, separator, True, "iint")


LAYOUTS = [
    *PUBLIC,
    _plain("log.csv", ","),
    _plain("log.tsv", "\t"),
    _plain("log.dat", "::", "'::'"),
    _plain("log.txt", "|", "'|'"),
    Layout(
        "parquet",
        parquet("log.parquet", "user_id", "item_id", "rating", "time"),
        ["data=table", "data.interactions.file=log.parquet", *_LOG],
        "log.parquet",
        None,
    ),
    Layout(
        "jsonl",
        json_lines("log.jsonl", '{"user_id": %(u)d, "item_id": %(i)d, "rating": %(r)d, "time": %(t)d}'),
        ["data=table", "data.interactions.file=log.jsonl", *_LOG],
        "log.jsonl",
        None,
        columns="user_id:i item_id:i rating:n time:t",
    ),
    Layout(
        "atomic",
        table("\t", "user_id:token\titem_id:token\trating:float\ttimestamp:float", "log.inter"),
        [
            "data=table",
            "data.interactions.file=log.inter",
            "data.interactions.rating=rating",
            "data.interactions.timestamp=timestamp",
        ],
        "log.inter",
        "\t",
        True,
        "iint",
    ),
    *(
        Layout(name, _fixture(name), ["data=movielens"], file, separator, header, "iint", name != "ml-csv")
        for name, file, separator, header in (
            ("ml-100k", "u.data", "\t", False),
            ("ml-1m", "ratings.dat", "::", False),
            ("ml-10m", "ratings.dat", "::", False),
            ("ml-csv", "ratings.csv", ",", True),
        )
    ),
    Layout("mind", _fixture("mind"), ["data=mind", "split=given"], "behaviors.tsv", "\t", False, "xitxx"),
    Layout(
        "amazon",
        _fixture("amazon"),
        ["data=amazon_reviews", "split=temporal", "data.reviews=All_Beauty.jsonl", "data.meta=meta_All_Beauty.jsonl"],
        "All_Beauty.jsonl",
        None,
    ),
]
