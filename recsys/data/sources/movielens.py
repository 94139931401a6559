"""MovieLens in its own file formats: 100k, 1m, 10m, 20m, 25m, 32m, latest, from a folder or GroupLens' zip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.sources import download
from recsys.data.sources.base import Source
from recsys.data.sources.columns import identifier, rating, require, timestamp
from recsys.data.sources.csv_table import CsvTable
from recsys.data.sources.faults import BadRows
from recsys.data.sources.indexing import index
from recsys.data.sources.raw import RawFile, existing, find
from recsys.data.sources.raw_tables import RawTable
from recsys.data.sources.reading import read_columns, read_side_table, refuse_nothing_left
from recsys.data.sources.templates import render, require_fields
from recsys.data.sources.unknown_ids import refuse_unknown
from recsys.schema import ConfigError, DataError

TEMPLATE = "{title}. {genres}"
NOT_GENRES = ["(no genres listed)", "unknown", ""]
BASE_URL = "https://files.grouplens.org/datasets/movielens"
_FLAG = "genre:"
_RATING_COLUMNS = ["userId", "movieId", "rating", "timestamp"]


@dataclass(frozen=True)
class Layout:
    """The file format of a family of releases; the names of columns are given if the files have no header.

    Attributes:
        ratings: The ratings' file.
        movies: The films' file.
        users: The users' file, if there is one.
        separators: The separators of ratings, films and users.
        encoding: The files' encoding as published.
        movie_columns: The films' columns; None if the files have headers.
        user_columns: The users' columns.
    """

    ratings: str
    movies: str
    users: str | None
    separators: tuple[str, str, str]
    encoding: str
    movie_columns: Sequence[str] | None = None
    user_columns: Sequence[str] | None = None

    @property
    def header(self) -> bool:
        """Whether the files begin with their columns' names."""
        return self.movie_columns is None


_FILMS = ["movieId", "title", "genres"]
_100K = Layout(
    "u.data",
    "u.item",
    "u.user",
    ("\t", "|", "|"),
    "latin-1",
    ["movieId", "title", "release_date", "video_release_date", "url"],
    ["user_id", "age", "gender", "occupation", "zip_code"],
)
_1M = Layout(
    "ratings.dat",
    "movies.dat",
    "users.dat",
    ("::", "::", "::"),
    "latin-1",
    _FILMS,
    ["user_id", "gender", "age", "occupation", "zip_code"],
)
_10M = Layout("ratings.dat", "movies.dat", None, ("::", "::", "::"), "utf-8", _FILMS)
_CSV = Layout("ratings.csv", "movies.csv", None, (",", ",", ","), "utf-8")

LAYOUTS = {"100k": _100K, "1m": _1M, "10m": _10M}
LAYOUTS |= dict.fromkeys(["20m", "25m", "32m", "latest-small", "latest"], _CSV)


class MovieLensSource(Source):
    """A MovieLens release from a local folder or zip.

    Args:
        path: The folder with the release's files, its zip, or a folder that holds either under GroupLens' name.
        version: 100k, 1m, 10m, 20m, 25m, 32m, latest-small or latest; null detects it from the files.
        encoding: The files' encoding; null for that of the published release.
        template: The template of an item's text, over `title`, `genres` and the release's further columns.
        download: Download the zip from GroupLens into `path` if the release is not there.
        md5: The expected checksum of a downloaded zip; null takes the one that GroupLens publishes beside it.
        bad_rows: Treatment of rows that cannot be read: `error`, or `drop` and count them by kind.
    """

    def __init__(
        self,
        path: str,
        version: str | None = None,
        encoding: str | None = None,
        template: str = TEMPLATE,
        download: bool = False,
        md5: str | None = None,
        bad_rows: str = "error",
    ) -> None:
        if version is not None and version not in LAYOUTS:
            raise ConfigError(f"data.version={version} is unknown; use one of {', '.join(LAYOUTS)}, or null.")
        if download and version is None:
            raise ConfigError(f"data.download=true needs data.version: one of {', '.join(LAYOUTS)}.")
        self.path, self.version, self.encoding = Path(path).expanduser(), version, encoding
        self.template, self.download, self.md5, self.bad_rows = template, download, md5, bad_rows
        BadRows(bad_rows, "data.bad_rows")
        self.name = f"movielens-{version}" if version else "movielens"

    def files(self) -> list[Path]:
        """The zip; or the ratings, the films and, if present, users and genres."""
        place = self._place()
        return [place] if place.is_file() else [file.path for file in self._raw_files(place).values()]

    def identity(self) -> dict[str, Any]:
        """Version, encoding, template and the treatment of faulty rows."""
        known = {"version": self.version, "encoding": self.encoding, "template": self.template}
        known["bad_rows"] = self.bad_rows
        return {"source": "movielens", **known}

    def read(self) -> Dataset:
        """The data set."""
        place = self._place()
        layout, files = self._layout(place), self._raw_files(place)
        encoding = self.encoding or layout.encoding
        with TemporaryDirectory(prefix="recsys-") as folder:
            scratch = Path(folder)
            films = layout.movie_columns
            if "genres" in files:
                films = [*(films or []), *_genre_names(files["genres"], encoding)]
            names = (None if layout.header else _RATING_COLUMNS, films, layout.user_columns)
            roles = zip(["ratings", "movies", "users"], layout.separators, names, strict=True)
            tables = {
                role: CsvTable(
                    files[role], scratch, separator, encoding, '"' if layout.header else None, columns, is_fixed=True
                )
                for role, separator, columns in roles
                if role in files
            }
            bad = BadRows(self.bad_rows, "data.bad_rows")
            return assemble(self.name, tables["ratings"], tables["movies"], tables.get("users"), self.template, bad)

    def _place(self) -> Path:
        """The folder or zip that contains the release, downloaded if `download` is set."""
        folder = f"ml-{self.version}"
        nested = [self.path / folder, self.path / f"{folder}.zip"] if self.version else []
        held = [place for place in nested if place.exists()]
        if held:
            return held[0]
        if self.download and not (self.path.is_file() or self._holds(self.path)):
            download.fetch(f"{BASE_URL}/{folder}.zip", self.path / f"{folder}.zip", self.md5)
            return self.path / f"{folder}.zip"
        return existing(self.path, "data.path")

    def _holds(self, place: Path) -> bool:
        return place.exists() and any(find(place, layout.ratings) for layout in LAYOUTS.values())

    def _layout(self, place: Path) -> Layout:
        if self.version:
            return LAYOUTS[self.version]
        if find(place, _1M.ratings):
            return _1M if find(place, "users.dat") else _10M
        layouts = [layout for layout in (_100K, _CSV) if find(place, layout.ratings)]
        if not layouts:
            raise DataError(f"data.path: {place} holds no MovieLens ratings (u.data, ratings.dat or ratings.csv).")
        return layouts[0]

    def _raw_files(self, place: Path) -> dict[str, RawFile]:
        layout = self._layout(place)
        wanted = {"ratings": layout.ratings, "movies": layout.movies, "users": layout.users}
        wanted["genres"] = "u.genre" if layout is _100K else None
        files = {role: find(place, name) for role, name in wanted.items() if name}
        missing = [wanted[role] for role, file in files.items() if file is None]
        if missing:
            raise DataError(f"data.path: {place} has no {', '.join(filter(None, missing))}.")
        return {role: file for role, file in files.items() if file is not None}


def assemble(
    name: str, ratings: RawTable, movies: RawTable, users: RawTable | None, template: str, bad: BadRows | None = None
) -> Dataset:
    """The data set of a release's tables, in any of their formats.

    Args:
        name: The data set's name.
        ratings: The interactions.
        movies: The items.
        users: The users, if the release has a table of them.
        template: The template of an item's text.
        bad: Collects the rows that cannot be read; None raises an error for them.

    Raises:
        DataError: If a row cannot be read and faulty rows are not dropped, or no rating is left.
    """
    bad = BadRows() if bad is None else bad
    columns = {
        schema.USER_ID: identifier("userId"),
        schema.ITEM_ID: identifier("movieId"),
        schema.VALUE: rating("rating"),
        schema.TIMESTAMP: timestamp("timestamp"),
    }
    interactions = read_columns(ratings, columns, bad)
    films = _read_films(movies, template, bad)
    interactions = _known(ratings, "movieId", interactions, films, f"a film of {movies.label}", bad)
    people = None
    if users is not None:
        people = read_side_table(users, schema.USER_ID, schema.USER_ID, bad=bad)
        interactions = _known(ratings, "userId", interactions, people, f"a user of {users.label}", bad)
    dropped = bad.finish()
    refuse_nothing_left(ratings, interactions.height, dropped)
    return index(name, interactions, films, people, dropped)


def _known(
    ratings: RawTable, column: str, interactions: pl.DataFrame, table: pl.DataFrame, expected: str, bad: BadRows
) -> pl.DataFrame:
    """The interactions whose id in a raw column is in a table of items or users."""
    name, kind = (schema.ITEM_ID, "items") if column == "movieId" else (schema.USER_ID, "users")
    kind = f"interactions with unknown {kind}"
    return interactions.filter(refuse_unknown(ratings, column, interactions[name], table[name], expected, bad, kind))


def _read_films(movies: RawTable, template: str, bad: BadRows) -> pl.DataFrame:
    films = read_side_table(movies, "movieId", schema.ITEM_ID, bad=bad)
    is_flagged = any(column.startswith(_FLAG) for column in films.columns)
    require(movies, dict.fromkeys(["title"] if is_flagged else ["title", "genres"], ""))
    films = _with_genre_list(films)
    require_fields(films.columns, template, movies.label)
    return films.with_columns(render(films, template).alias(schema.TEXT)).rename({"genres": schema.CATEGORIES})


def _with_genre_list(films: pl.DataFrame) -> pl.DataFrame:
    """Genres as a list, from a column with names separated by | or (100k) from one column of 0 and 1 for each."""
    flags = [column for column in films.columns if column.startswith(_FLAG)]
    if flags:
        named = [pl.when(pl.col(flag) == "1").then(pl.lit(flag.removeprefix(_FLAG))) for flag in flags]
        genres = pl.concat_list(named).list.drop_nulls()
    else:
        genres = pl.col("genres").fill_null("").str.split("|")
    kept = genres.list.eval(pl.element().filter(~pl.element().is_in(NOT_GENRES)))
    return films.with_columns(kept.alias("genres"), pl.col("title").fill_null("")).drop(flags)


def _genre_names(file: RawFile, encoding: str) -> list[str]:
    with file.open() as lines:
        return [f"{_FLAG}{line.decode(encoding).split('|')[0]}" for line in lines if line.strip()]
