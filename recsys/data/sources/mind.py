"""MIND (Microsoft News): histories, impressions and clicks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.id_hashes import hash_order
from recsys.data.sources.base import Source
from recsys.data.sources.csv_table import CsvTable
from recsys.data.sources.faults import BadRows
from recsys.data.sources.indexing import distinct_ids, index, to_index
from recsys.data.sources.mind_behaviors import NUMBER, read_behaviors
from recsys.data.sources.raw import RawFile, existing, find
from recsys.data.sources.reading import read_side_table, refuse_nothing_left
from recsys.data.sources.templates import render, require_fields
from recsys.schema import DataError

_DAY = 86_400 * schema.MICROSECONDS
_NEWS = ["news_id", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities"]
_BEHAVIORS = [NUMBER, "user_id", "time", "history", "impressions"]
_KEPT_NEWS = ["category", "subcategory", "title", "abstract"]


class MindSource(Source):
    """MIND, small or large: the dev folder is the test, the newest days of the train folder are the validation.

    An impression is a row of `behaviors.tsv`. Interactions are the clicks of all parts, and the histories of the train
    part's impressions. Clicks of histories have no times: they are set one second apart, before the user's first train
    impression. Wu et al. (2020), MIND: A Large-scale Dataset for News Recommendation, ACL.

    Args:
        path: The folder that holds the two folders or zips.
        train: Name of the train folder or zip in `path`; null takes the one whose name has `train` in it.
        dev: Name of the dev folder or zip; null takes the one whose name has `dev` in it.
        validation_days: Number of the newest days of the train folder that are the validation.
        template: The template of an item's text, over `title`, `abstract`, `category`, `subcategory`.
        bad_rows: Treatment of rows that cannot be read: `error`, or `drop` and count them by kind. An impression
            with an unknown item is such a row.
    """

    name = "mind"

    def __init__(
        self,
        path: str,
        train: str | None = None,
        dev: str | None = None,
        validation_days: float = 1.0,
        template: str = "{title}. {abstract}",
        bad_rows: str = "error",
    ) -> None:
        self.path, self.train, self.dev = Path(path).expanduser(), train, dev
        self.validation_days, self.template, self.bad_rows = validation_days, template, bad_rows
        BadRows(bad_rows, "data.bad_rows")

    def files(self) -> list[Path]:
        """Behaviours and news of train and dev, or the two zips."""
        return list(dict.fromkeys(file.path for file in self._raw_files()))

    def identity(self) -> dict[str, Any]:
        """Days of validation, template and the treatment of faulty rows."""
        settings = {"validation_days": self.validation_days, "template": self.template, "bad_rows": self.bad_rows}
        return {"source": "mind", **settings}

    def read(self) -> Dataset:
        """The data set, with `impressions`."""
        bad = BadRows(self.bad_rows, "data.bad_rows")
        with TemporaryDirectory(prefix="recsys-") as folder:
            open_table = partial(CsvTable, scratch=Path(folder), separator="\t", quote=None, is_fixed=True)
            train, train_news, dev, dev_news = self._raw_files()
            news = self._read_news([open_table(file, names=_NEWS) for file in (train_news, dev_news)], bad)
            tables = [open_table(file, names=_BEHAVIORS) for file in (train, dev)]
            shown = [read_behaviors(table, news[schema.ITEM_ID], bad) for table in tables]
            dropped = bad.finish()
            for table, impressions in zip(tables, shown, strict=True):
                refuse_nothing_left(table, impressions.height, dropped)
        return _assemble(self.name, _in_parts(shown[0], shown[1], self.validation_days), news, dropped)

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

    def _read_news(self, tables: list[CsvTable], bad: BadRows) -> pl.DataFrame:
        frames = [read_side_table(table, "news_id", schema.ITEM_ID, bad=bad) for table in tables]
        news = pl.concat(frames).unique(schema.ITEM_ID, keep="first", maintain_order=True)
        news = news[hash_order(news[schema.ITEM_ID])]
        require_fields(_KEPT_NEWS, self.template, tables[0].label)
        news = news.select(schema.ITEM_ID, pl.col(_KEPT_NEWS).fill_null(""))
        kinds = pl.concat_list("category", "subcategory").list.unique(maintain_order=True)
        kinds = kinds.list.eval(pl.element().filter(pl.element() != ""))
        return news.with_columns(render(news, self.template).alias(schema.TEXT), kinds.alias(schema.CATEGORIES))


def _in_parts(train: pl.DataFrame, dev: pl.DataFrame, validation_days: float) -> pl.DataFrame:
    """All impressions by time, each with its part."""
    time = pl.col(schema.TIMESTAMP)
    is_late = time > time.max() - validation_days * _DAY
    part = pl.when(is_late).then(pl.lit(schema.VAL)).otherwise(pl.lit(schema.TRAIN)).alias(schema.PART)
    shown = pl.concat([train.with_columns(part), dev.with_columns(pl.lit(schema.TEST).alias(schema.PART))])
    return shown.sort(schema.TIMESTAMP, schema.USER_ID, NUMBER, maintain_order=True).drop(NUMBER)


def _is_place(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".zip"


def _file(place: Path, name: str) -> RawFile:
    file = find(place, name)
    if file is None:
        raise DataError(f"data.path: {place} has no {name}.")
    return file


def _assemble(name: str, shown: pl.DataFrame, news: pl.DataFrame, dropped: dict[str, int]) -> Dataset:
    """The data set of impressions that still have raw user ids."""
    user_ids = distinct_ids(shown[schema.USER_ID])
    interactions = pl.concat([_clicks(shown), _history_clicks(shown)])
    named = interactions.with_columns(news[schema.ITEM_ID].gather(interactions[schema.ITEM]).alias(schema.ITEM_ID))
    dataset = index(name, named.drop(schema.ITEM), news, dropped=dropped, user_ids=user_ids)
    impressions = shown.select(
        to_index(shown[schema.USER_ID], user_ids).alias(schema.USER),
        *[schema.TIMESTAMP, schema.PART, schema.HISTORY, schema.CANDIDATES, schema.CLICKED],
    )
    return replace(dataset, impressions=impressions, fingerprint="")


def _clicks(shown: pl.DataFrame) -> pl.DataFrame:
    """The clicks: `user_id`, `item`, `timestamp`, `part`."""
    clicked = shown[schema.CLICKED].explode().to_numpy().astype(bool)
    rows = np.repeat(np.arange(shown.height), shown[schema.CANDIDATES].list.len().to_numpy())[clicked]
    items = shown[schema.CANDIDATES].explode().filter(pl.Series(clicked)).alias(schema.ITEM)
    owners = shown.select(schema.USER_ID, schema.TIMESTAMP, schema.PART)[rows]
    return owners.select(schema.USER_ID, items, schema.TIMESTAMP, schema.PART)


def _history_clicks(shown: pl.DataFrame) -> pl.DataFrame:
    """The clicks in the histories of train impressions; histories only grow, so each user's last one is complete."""
    train = shown.filter(pl.col(schema.PART) == schema.TRAIN, pl.col(schema.HISTORY).list.len() > 0)
    of_user = pl.col(schema.HISTORY).last(), pl.col(schema.TIMESTAMP).first()
    last = train.group_by(schema.USER_ID, maintain_order=True).agg(*of_user)
    size = pl.col(schema.HISTORY).list.len().cast(pl.Int64)
    time, second = pl.col(schema.TIMESTAMP), schema.MICROSECONDS
    times = pl.int_ranges(time - size * second, time, second).alias(schema.TIMESTAMP)
    clicks = last.with_columns(times).explode(schema.HISTORY, schema.TIMESTAMP)
    part = pl.lit(schema.TRAIN).alias(schema.PART)
    return clicks.select(schema.USER_ID, pl.col(schema.HISTORY).alias(schema.ITEM), schema.TIMESTAMP, part)
