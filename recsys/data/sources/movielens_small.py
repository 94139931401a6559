"""The embedded data: 100,004 ratings of 9,066 films by 671 users (GroupLens, ml-latest-small of October 2016)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from recsys.data.dataset import Dataset
from recsys.data.sources.base import Source
from recsys.data.sources.movielens import TEMPLATE, assemble
from recsys.data.sources.raw import RawFile
from recsys.data.sources.raw_tables import ParquetTable

FOLDER = Path(str(files("recsys.data") / "movielens_small"))


class MovieLensSmallSource(Source):
    """The MovieLens data inside the package, under GroupLens' conditions (movielens_small/CONDITIONS.txt).

    Harper and Konstan (2015), The MovieLens Datasets: History and Context, ACM TiiS 5(4).
    """

    name = "movielens_small"

    def __init__(self, template: str = TEMPLATE) -> None:
        self.template = template

    def files(self) -> list[Path]:
        """The ratings and the films."""
        return [FOLDER / "ratings.parquet", FOLDER / "movies.parquet"]

    def identity(self) -> dict[str, Any]:
        """The template."""
        return {"source": "movielens_small", "template": self.template}

    def read(self) -> Dataset:
        """The data set."""
        ratings, movies = (ParquetTable(RawFile(path)) for path in self.files())
        return assemble(self.name, ratings, movies, None, self.template)
