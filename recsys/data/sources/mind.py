"""MIND (Microsoft News): what users had read, what they were shown, and what they clicked."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.sources.base import Source
from recsys.data.sources.columns import (
    Column,
    identifier,
    read_columns,
    read_side_table,
    refuse_unknown,
    timestamp,
)
from recsys.data.sources.indexing import index, sorted_ids, to_index
from recsys.data.sources.raw import RawFile, existing, find
from recsys.data.sources.tables import CsvTable
from recsys.data.sources.text import render, require_fields
from recsys.schema import DataError

_TIME_FORMAT = "%m/%d/%Y %I:%M:%S %p"
_DAY = 86_400
_SLICE = 200_000  # impressions whose lists are taken apart at once: bounds the memory
_NEWS = ["news_id", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities"]
_BEHAVIORS = ["impression_id", "user_id", "time", "history", "impressions"]
_KEPT_NEWS = ["category", "subcategory", "title", "abstract"]


class MindSource(Source):
    """MIND, small or large: the dev folder is the test, the newest days of the train folder are the validation.

    An impression is `behaviors.tsv`'s row. Interactions are the clicks of all parts, and the histories of the train
    part's impressions, which bear no time of their own: their clicks are set one second apart before the user's
    first train impression. Wu et al. (2020), MIND: A Large-scale Dataset for News Recommendation, ACL.

    Args:
        path: The folder that holds the two folders or zips.
        train: Name of the train folder or zip in `path`; null takes the one whose name has `train` in it.
        dev: Name of the dev folder or zip; null takes the one whose name has `dev` in it.
        validation_days: How many of the newest days of the train folder are the validation.
        template: Of an item's text, over `title`, `abstract`, `category`, `subcategory`.
    """

    name = "mind"

    def __init__(
        self,
        path: str,
        train: str | None = None,
        dev: str | None = None,
        validation_days: float = 1.0,
        template: str = "{title}. {abstract}",
    ) -> None:
        self.path, self.train, self.dev = Path(path).expanduser(), train, dev
        self.validation_days, self.template = validation_days, template

    def files(self) -> list[Path]:
        """Behaviours and news of train and dev, or the two zips."""
        return list(dict.fromkeys(file.path for file in self._raw_files()))

    def identity(self) -> dict[str, Any]:
        """Days of validation and template."""
        return {"source": "mind", "validation_days": self.validation_days, "template": self.template}

    def read(self) -> Dataset:
        """The data set, with `impressions`."""
        with TemporaryDirectory(prefix="recsys-") as folder:
            open_table = partial(CsvTable, scratch=Path(folder), separator="\t", quote=None)
            tables = [open_table(file, names=_NEWS if "news" in file.label else None) for file in ()]
            del tables
            train, train_news, dev, dev_news = self._raw_files()
            news = self._read_news([open_table(file, names=_NEWS) for file in (train_news, dev_news)])
            shown = [_read_behaviors(open_table(file, names=_BEHAVIORS), news) for file in (train, dev)]
        cut = shown[0][schema.TIMESTAMP].max() - self.validation_days * _DAY  # type: ignore[operator]
        late = pl.when(pl.col(schema.TIMESTAMP) > cut).then(pl.lit(schema.VAL)).otherwise(pl.lit(schema.TRAIN))
        parts = [shown[0].with_columns(late.alias(schema.PART)), shown[1].with_columns(part=pl.lit(schema.TEST))]
        return _assemble(self.name, pl.concat(parts), news)

    def _raw_files(self) -> list[RawFile]:
        """Behaviours and news of train, then of dev."""
        existing(self.path, "data.path")
        places = [self._place("train", self.train), self._place("dev", self.dev)]
        return [_file(place, name) for place in places for name in ("behaviors.tsv", "news.tsv")]

    def _place(self, key: str, name: str | None) -> Path:
        if name is not None:
            return existing(self.path / name, f"data.{key}")
        found = [place for place in sorted(self.path.iterdir()) if key in place.name and _is_place(place)]
        if not found:
            raise DataError(f"data.path: {self.path} has no folder or zip with '{key}' in its name; set data.{key}.")
        folders = [place for place in found if place.is_dir()] or found
        if len(folders) > 1:
            names = ", ".join(place.name for place in folders)
            raise DataError(f"data.path: {self.path} has {names}; choose one with data.{key}.")
        return folders[0]

    def _read_news(self, tables: list[CsvTable]) -> pl.DataFrame:
        frames = [read_side_table(table, "news_id", schema.ITEM_ID) for table in tables]
        news = pl.concat(frames).unique(schema.ITEM_ID, keep="first", maintain_order=True)
        require_fields(_KEPT_NEWS, self.template, tables[0].label)
        news = news.select(schema.ITEM_ID, pl.col(_KEPT_NEWS).fill_null(""))
        kinds = pl.concat_list("category", "subcategory").list.unique(maintain_order=True)
        kinds = kinds.list.eval(pl.element().filter(pl.element() != ""))
        return news.with_columns(render(news, self.template).alias(schema.TEXT), kinds.alias(schema.CATEGORIES))


def _is_place(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".zip"


def _file(place: Path, name: str) -> RawFile:
    file = find(place, name)
    if file is None:
        raise DataError(f"data.path: {place} has no {name}.")
    return file


def _read_behaviors(table: CsvTable, news: pl.DataFrame) -> pl.DataFrame:
    """`user_id`, `timestamp`, `history`, `candidates`, `clicked`."""
    columns = {
        schema.USER_ID: identifier("user_id"),
        schema.TIMESTAMP: timestamp("time", _TIME_FORMAT),
        schema.HISTORY: Column("history", lambda text: text.fill_null(""), "ids of news between spaces"),
        schema.CANDIDATES: Column("impressions", _labelled, "ids with labels, as in 'N1-0 N2-1' (the leaderboard's "
                                  "test set has none and cannot be used)"),
    }  # fmt: skip
    frame = read_columns(table, columns)
    slices = [_with_lists(part, news[schema.ITEM_ID]) for part in frame.iter_slices(_SLICE)]
    result = pl.concat(slices)
    for column, raw in ((schema.HISTORY, "history"), (schema.CANDIDATES, "impressions")):
        unknown = result.select(pl.col(column).list.contains(-1)).to_series()
        if unknown.any():
            _refuse_unknown_news(table, raw, frame[column].filter(unknown), news)
    return result


def _labelled(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(r"^\S+-[01]( +\S+-[01])* *$")).then(text)


def _with_lists(frame: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """The strings of ids as lists of item indices, -1 for one that is unknown, and the labels."""
    places = pl.arange(len(ids), dtype=pl.Int32, eager=True)
    parts = pl.element().str.split(" ")
    del parts
    known = {"old": ids, "new": places, "default": -1, "return_dtype": pl.Int32}
    candidates = pl.col(schema.CANDIDATES).str.strip_chars().str.split(" ")
    item = pl.element().str.head(-2).replace_strict(**known)
    history = pl.col(schema.HISTORY).str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
    return frame.select(
        schema.USER_ID,
        schema.TIMESTAMP,
        history.list.eval(pl.element().replace_strict(**known)).alias(schema.HISTORY),
        candidates.list.eval(item).alias(schema.CANDIDATES),
        candidates.list.eval(pl.element().str.ends_with("1")).alias(schema.CLICKED),
    )
