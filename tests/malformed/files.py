"""Small data sets in the layout of each source, and faults of their files."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

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
        columns: Of the file: `n` for a number, `t` for a time, `i` for an id, `x` for text that may be anything. JSON
            has the names of keys, too, as in `user_id:i time:t`.
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
        if path.suffix == ".gz":
            faults.append(_cut)
        if ".json" in path.name:
            faults += [_bad_json] * 4
            faults += [self._bad_value] * 4 if self.columns else []
        if self.separator is not None:
            faults += [self._bad_row] * 6
        if path.suffix == ".parquet":
            faults = [_missing, _empty, _folder, _cut]
        place = rng.choice(faults)(path, rng)
        return (f"{path.name}:{place}",) if place else (path.name, "data.path")

    def _bad_row(self, path: Path, rng: random.Random) -> int:
        lines = _content(path).split(b"\n")
        row = rng.randrange(int(self.header), len(lines) - 2)
        separator = str(self.separator).encode()
        fields = lines[row].split(separator)
        column = rng.choice([place for place, kind in enumerate(self.columns) if kind in "nti"])
        wrong = {"n": [b"x", b"nan", b"1e999"], "t": [b"-5", b"soon", b"99999999999999999999"], "i": [b""]}
        fields[column] = rng.choice(wrong[self.columns[column]])
        if rng.random() < 0.3:
            fields = fields[:-1] if rng.random() < 0.5 else [*fields, b"1", b"2"]
        lines[row] = separator.join(fields)
        _write(path, b"\n".join(lines))
        return row + 1

    def _bad_value(self, path: Path, rng: random.Random) -> int:
        lines = _content(path).split(b"\n")
        row = rng.randrange(len(lines) - 1)
        key, _, kind = rng.choice(self.columns.split()).partition(":")
        wrong: dict[str, list[object]] = {
            "n": ["x", "nan", True],
            "t": [-5, "soon", 10**20],
            "i": ["", None, [1], {"a": 1}],
        }
        lines[row] = json.dumps({**json.loads(lines[row]), key: rng.choice(wrong[kind])}).encode()
        _write(path, b"\n".join(lines))
        return row + 1


def _content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


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
    _write(path, b"\xff\xfe\x00\xd8" + _content(path))


def _bad_json(path: Path, rng: random.Random) -> int:
    lines = _content(path).split(b"\n")
    row = rng.randrange(len(lines) - 1)
    lines[row] = rng.choice([b'{"user_id": ', b"[1, 2]", b"no json", lines[row][:-1]])
    _write(path, b"\n".join(lines))
    return row + 1


def _rows() -> list[tuple[int, int, int, int]]:
    return [(1 + n % 6, 1 + n * 7 % 10, 1 + n % 5, 1_500_000_000 + n * 86_400) for n in range(N_ROWS)]


def _day(time: int, form: str) -> str:
    return datetime.fromtimestamp(time, UTC).strftime(form)


def table(separator: str, header: str, file: str, text: str = "{u}{s}{i}{s}{r}{s}{t}") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        named = [{"u": u, "i": i, "r": r, "t": t, "d": _day(t, "%Y-%m-%dT%H:%M:%SZ")} for u, i, r, t in _rows()]
        lines = [text.format(s=separator, **row) for row in named]
        _write(folder / file, "\n".join([*([header] if header else []), *lines, ""]).encode())

    return make


def json_lines(file: str, text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        named = [{"u": u, "i": i, "r": r, "t": t, "d": _day(t, "%a %b %d %H:%M:%S +0000 %Y")} for u, i, r, t in _rows()]
        _write(folder / file, "\n".join([*(text % row for row in named), ""]).encode())

    return make


def parquet(file: str, *columns: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        pl.DataFrame(_rows(), schema=list(columns), orient="row").write_parquet(folder / file)

    return make
