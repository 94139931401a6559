"""Small data sets in the layout of each source, and faults of their files."""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"
N_ROWS = 60


@dataclass(frozen=True)
class Layout:
    """A data set as files.

    Attributes:
        name: Of the layout.
        make: Writes the files into a folder.
        keys: Overrides that read them, without `data.path`.
        file: The file of interactions.
        separator: Between its columns; None for one that is no text of rows.
        header: Whether its first line is one.
        columns: Of the file: `n` for a number, `t` for a time, `i` for an id, `x` for text that may be anything.
        latin: Whether it is latin-1, in which every byte is a letter.
    """

    name: str
    make: Callable[[Path], None]
    keys: list[str]
    file: str
    separator: str | None
    header: bool = False
    columns: str = ""
    latin: bool = False

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.make(folder)

    def overrides(self, folder: Path) -> list[str]:
        return [*self.keys, f"data.path={folder}"]

    def damage(self, folder: Path, rng: random.Random) -> tuple[str, ...]:
        """Put one fault into the file; gives what a message must name."""
        path = next(path for path in folder.rglob(Path(self.file).name))
        faults = [_missing, _empty, _folder, *([] if self.latin else [_not_utf8])]
        if path.suffix == ".jsonl" or path.suffix == ".json":
            faults += [_bad_json] * 4
        if self.separator is not None:
            faults += [self._bad_row] * 6
        if path.suffix == ".parquet":
            faults = [_missing, _empty, _folder, _cut]
        place = rng.choice(faults)(path, rng)
        return (f"{path.name}:{place}",) if place else (path.name, "data.path")

    def _bad_row(self, path: Path, rng: random.Random) -> int:
        lines = path.read_bytes().split(b"\n")
        row = rng.randrange(int(self.header), len(lines) - 2)
        separator = str(self.separator).encode()
        fields = lines[row].split(separator)
        column = rng.choice([place for place, kind in enumerate(self.columns) if kind in "nti"])
        wrong = {"n": [b"x", b"nan", b"1e999"], "t": [b"-5", b"soon", b"99999999999999999999"], "i": [b""]}
        fields[column] = rng.choice(wrong[self.columns[column]])
        if rng.random() < 0.3:
            fields = fields[:-1] if rng.random() < 0.5 else [*fields, b"1", b"2"]
        lines[row] = separator.join(fields)
        path.write_bytes(b"\n".join(lines))
        return row + 1


def _missing(path: Path, rng: random.Random) -> None:
    path.unlink()


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _cut(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(1, len(content) - 1)])


def _not_utf8(path: Path, rng: random.Random) -> None:
    """Bytes that no text in UTF-8 begins with."""
    path.write_bytes(b"\xff\xfe\x00\xd8" + path.read_bytes())


def _bad_json(path: Path, rng: random.Random) -> int:
    lines = path.read_bytes().split(b"\n")
    row = rng.randrange(len(lines) - 1)
    lines[row] = rng.choice([b'{"user_id": ', b"[1, 2]", b"no json", lines[row][:-1]])
    path.write_bytes(b"\n".join(lines))
    return row + 1


def _rows() -> list[tuple[int, int, int, int]]:
    return [(1 + n % 6, 1 + n * 7 % 10, 1 + n % 5, 1_500_000_000 + n * 86_400) for n in range(N_ROWS)]


def _table(separator: str, header: str, file: str, text: str = "{u}{s}{i}{s}{r}{s}{t}") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        lines = [text.format(u=u, i=i, r=r, t=t, s=separator) for u, i, r, t in _rows()]
        (folder / file).write_text("\n".join([*([header] if header else []), *lines, ""]))

    return make


def _json_lines(file: str, text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        lines = [text % dict(zip("uirt", row, strict=True)) for row in _rows()]
        content = "\n".join([*lines, ""]).encode()
        (folder / file).write_bytes(gzip.compress(content) if file.endswith("gz") else content)

    return make


def _parquet(folder: Path) -> None:
    pl.DataFrame(_rows(), schema=["user_id", "item_id", "rating", "time"], orient="row").write_parquet(
        folder / "log.parquet"
    )


def _fixture(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        shutil.copytree(FIXTURES / name, folder, dirs_exist_ok=True)

    return make


_LOG = ["data.interactions.rating=rating", "data.interactions.timestamp=time"]
_HEADER = "user_id{s}item_id{s}rating{s}time"


def _plain(file: str, separator: str, written: str = "") -> Layout:
    keys = ["data=table", f"data.interactions.file={file}", *_LOG, *([f"data.separator={written}"] if written else [])]
    make = _table(separator, _HEADER.format(s=separator), file)
    return Layout(file, make, keys, file, separator, True, "iint")


LAYOUTS = [
    _plain("log.csv", ","),
    _plain("log.tsv", "\t"),
    _plain("log.dat", "::", "'::'"),
    _plain("log.txt", "|", "'|'"),
    Layout("parquet", _parquet, ["data=table", "data.interactions.file=log.parquet", *_LOG], "log.parquet", None),
    Layout(
        "jsonl",
        _json_lines("log.jsonl", '{"user_id": %(u)d, "item_id": %(i)d, "rating": %(r)d, "time": %(t)d}'),
        ["data=table", "data.interactions.file=log.jsonl", *_LOG],
        "log.jsonl",
        None,
    ),
    Layout(
        "atomic",
        _table("\t", "user_id:token\titem_id:token\trating:float\ttimestamp:float", "log.inter"),
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
    Layout(
        "amazon_ratings",
        _table(",", "", "Games.csv", "{i},{u},{r},{t}"),
        ["data=amazon_ratings", "data.interactions.file=Games.csv"],
        "Games.csv",
        ",",
        False,
        "iint",
    ),
    Layout(
        "taobao",
        _table(",", "", "UserBehavior.csv", "{u},{i},7,pv,{t}"),
        ["data=taobao", "data.bad_rows=error"],
        "UserBehavior.csv",
        ",",
        False,
        "iixxt",
    ),
    Layout(
        "retailrocket",
        _table(",", "timestamp,visitorid,event,itemid,transactionid", "events.csv", "{t}000,{u},view,{i},"),
        ["data=retailrocket"],
        "events.csv",
        ",",
        True,
        "tixix",
    ),
    Layout(
        "bookcrossing",
        _table(";", '"User-ID";"ISBN";"Book-Rating"', "BX-Book-Ratings.csv", '"{u}";"{i}";"{r}"'),
        ["data=bookcrossing", "split=random", "data.items.file=null", "data.items.template=null"],
        "BX-Book-Ratings.csv",
        ";",
        True,
        "iin",
        True,
    ),
    Layout(
        "lastfm_360k",
        _table("\t", "", "usersha1-artmbid-artname-plays.tsv", "{u}\t{i}\tname\t{r}"),
        ["data=lastfm_360k", "split=random", "data.bad_rows=error"],
        "usersha1-artmbid-artname-plays.tsv",
        "\t",
        False,
        "iixn",
    ),
    Layout(
        "yelp",
        _json_lines(
            "review.json", '{"user_id":"%(u)d","business_id":"%(i)d","stars":%(r)d,"date":"2018-07-07 22:09:11"}'
        ),
        ["data=yelp", "data.interactions.file=review.json", "data.items.file=null", "data.items.template=null"],
        "review.json",
        None,
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
        ["data=amazon_reviews", "data.reviews=All_Beauty.jsonl", "data.meta=meta_All_Beauty.jsonl"],
        "All_Beauty.jsonl",
        None,
    ),
]
