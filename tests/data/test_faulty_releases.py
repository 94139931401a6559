"""Faulty rows of MovieLens and MIND are all found before an error, or dropped and counted by kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recsys.data.description import describe
from recsys.data.sources.mind import MindSource
from recsys.data.sources.movielens import MovieLensSource
from recsys.schema import ConfigError, DataError

FIXTURES = Path(__file__).parent / "fixtures"
# By the file that they are added to: rows, each with its kind.
MOVIELENS = {
    "ratings.dat": [
        ("1::1::5", "rows with too few fields"),
        ("1::1::5::1::2", "rows with too many fields"),
        ("1::1::x::1", "rows with a bad number"),
        ("1::1::5::99999999999", "rows with a bad time"),
        ("::1::5::1", "rows without an id"),
        ("1::77::5::1", "interactions with unknown items"),
        ("11::1::5::1", "interactions with unknown users"),
    ],
    "movies.dat": [("1::Again::Drama", "rows that repeat an id"), ("::Nothing::Drama", "rows without an id")],
    "users.dat": [("77::F", "rows with too few fields")],
}
NOW = "11/15/2019 8:00:00 AM"
MIND = {
    "behaviors.tsv": [
        (f"5\tU1\t{NOW}\tN3", "rows with too few fields"),
        (f"6\tU1\t{NOW}\tN3\tN5-0\tmore", "rows with too many fields"),
        ("7\tU1\t11/15/1919 8:00:00 AM\tN9\tN5-0", "rows with a bad time"),
        (f"8\t\t{NOW}\tN3\tN5-0", "rows without an id"),
        (f"9\tU1\t{NOW}\tN9\tN8-1", "impressions with unknown items"),
        (f"10\tU1\t{NOW}\tN3\tN8-1", "impressions with unknown items"),
        (f"11\tU1\t{NOW}\tN3\tN5", "rows with a bad value"),
    ],
    "news.tsv": [("N1\ta\tb\tc\td\te\tf\tg", "rows that repeat an id"), ("N9\ta", "rows with too few fields")],
}
SOURCES = {"ml-1m": (MovieLensSource, MOVIELENS, "."), "mind": (MindSource, MIND, "MINDsmall_dev")}


@pytest.fixture(params=SOURCES)
def release(request, tmp_path):
    """The source, a folder with faulty rows at the end of its files, their places, and how many are of each kind."""
    make, added, place = SOURCES[request.param]
    folder = Path(shutil.copytree(FIXTURES / request.param, tmp_path / request.param))
    places, kinds = {}, {}
    for name, rows in added.items():
        path = folder / place / name
        lines = path.read_bytes().decode("latin-1").splitlines()
        path.write_bytes("\n".join([*lines, *(row for row, _ in rows), ""]).encode("latin-1"))
        places |= {f"{name}:{len(lines) + 1 + number}": kind for number, (_, kind) in enumerate(rows)}
        for _, kind in rows:
            kinds[kind] = kinds.get(kind, 0) + 1
    return make, folder, places, kinds


def test_an_error_lists_all_kinds_in_one_go(release):
    make, folder, places, kinds = release
    with pytest.raises(DataError) as caught:
        make(str(folder)).read()
    *listed, last = str(caught.value).splitlines()
    assert sorted(line.split(": ")[0].rpartition("/")[2] for line in listed) == sorted(places)
    assert last.startswith(f"{len(places)} faulty rows in all: ")
    assert all(f"{kind} {count}" in last for kind, count in kinds.items())
    assert last.endswith(("data.bad_rows=drop leaves them out and counts them.", "the keys that describe it."))


def test_dropped_rows_are_counted_and_change_nothing_else(release):
    make, folder, _, kinds = release
    data, whole = make(str(folder), bad_rows="drop").read(), make(str(FIXTURES / folder.name)).read()
    assert {kind: data.dropped[kind] for kind in kinds} == kinds
    assert data.fingerprint == whole.fingerprint
    assert {kind: describe(data)["dropped"][kind] for kind in kinds} == kinds


def test_an_error_lists_twenty_rows(tmp_path):
    folder = Path(shutil.copytree(FIXTURES / "ml-csv", tmp_path / "ml"))
    with (folder / "ratings.csv").open("a") as ratings:
        ratings.writelines("1,1,x,1\n" for _ in range(50))
    with pytest.raises(DataError, match=r"50 faulty rows in all \(the first 20 are listed\)") as caught:
        MovieLensSource(str(folder)).read()
    assert str(caught.value).count("\n") == 20


def test_nothing_left_is_an_error(tmp_path):
    folder = Path(shutil.copytree(FIXTURES / "mind", tmp_path / "mind"))
    path = folder / "MINDsmall_train" / "behaviors.tsv"
    path.write_text(path.read_text().replace("\tN", "\tX"))
    with pytest.raises(DataError, match=r"train/behaviors\.tsv: no row is left \(impressions with unknown items \d"):
        MindSource(str(folder), bad_rows="drop").read()


@pytest.mark.parametrize("make", [MovieLensSource, MindSource])
def test_other_choices_are_refused(make):
    with pytest.raises(ConfigError, match=r"data\.bad_rows=keep is unknown; use error or drop"):
        make("anywhere", bad_rows="keep")
