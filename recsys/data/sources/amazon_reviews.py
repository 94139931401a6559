"""Amazon Reviews 2023: reviews and products as jsonl (also .gz), or the benchmark's csv of ratings."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.sources.base import Source
from recsys.data.sources.columns import identifier, rating, timestamp
from recsys.data.sources.csv_table import CsvTable
from recsys.data.sources.faults import BadRows
from recsys.data.sources.indexing import index
from recsys.data.sources.json_lines import JsonLinesTable
from recsys.data.sources.raw import RawFile, existing
from recsys.data.sources.raw_tables import RawTable
from recsys.data.sources.reading import read_columns, read_side_table
from recsys.data.sources.templates import render, require_fields
from recsys.data.sources.unknown_ids import UnknownItems

_TEXT_FIELDS = ["title", "features", "description", "categories"]
_ID = "parent_asin"


class AmazonReviewsSource(Source):
    """One category of Amazon Reviews 2023; a product is a `parent_asin`.

    Hou et al. (2024), Bridging Language and Items for Retrieval and Recommendation.

    Args:
        path: The folder of the files.
        reviews: The reviews' file: jsonl or csv (the benchmark's), also .gz.
        meta: The products' file: jsonl, also .gz.
        template: The template of an item's text, over title, features, description and categories.
        reviewed_only: Leave out products without a review; the metadata lists many.
        unknown_items: Treatment of reviews of products that the metadata lacks: `error` or `drop` (and count).
        bad_rows: Treatment of rows that cannot be read: `error`, or `drop` and count them by kind.
    """

    def __init__(
        self,
        path: str,
        reviews: str,
        meta: str,
        template: str = "{title}. {features} {description} {categories}",
        reviewed_only: bool = True,
        unknown_items: str = "error",
        bad_rows: str = "error",
    ) -> None:
        self.path, self.reviews, self.meta = Path(path).expanduser(), reviews, meta
        self.template, self.reviewed_only, self.unknown_items = template, reviewed_only, unknown_items
        self.bad_rows = bad_rows
        BadRows(bad_rows, "data.bad_rows")
        self.name = f"amazon_reviews-{Path(reviews).name.split('.')[0]}"

    def files(self) -> list[Path]:
        """The files of reviews and products."""
        existing(self.path, "data.path")
        named = {"data.reviews": self.reviews, "data.meta": self.meta}
        return [existing(self.path / name, key, is_file=True) for key, name in named.items()]

    def identity(self) -> dict[str, Any]:
        """Format, template and filters."""
        settings = {"reviewed_only": self.reviewed_only, "unknown_items": self.unknown_items}
        settings |= {"bad_rows": self.bad_rows}
        known = {"format": RawFile(Path(self.reviews)).suffix, "template": self.template, "name": self.name}
        return {"source": "amazon_reviews", **known, **settings}

    def read(self) -> Dataset:
        """The data set."""
        reviews, meta = (RawFile(path) for path in self.files())
        bad = BadRows(self.bad_rows, "data.bad_rows")
        with TemporaryDirectory(prefix="recsys-") as folder:
            scratch = Path(folder)
            is_csv = reviews.suffix == ".csv"
            table = CsvTable(reviews, scratch, is_fixed=True) if is_csv else JsonLinesTable(reviews, scratch)
            interactions = _read_reviews(table, bad)
            products = _read_products(JsonLinesTable(meta, scratch), self.template, bad)
            unknown = UnknownItems(self.unknown_items, "data.unknown_items", meta.label)
            interactions, dropped = unknown.apply(table, _ID, interactions, products, bad)
            for kind, count in bad.finish().items():
                dropped[kind] = dropped.get(kind, 0) + count
        if self.reviewed_only:
            reviewed = interactions[schema.ITEM_ID].unique().implode()
            kept = products.filter(pl.col(schema.ITEM_ID).is_in(reviewed))
            products, dropped["products without reviews"] = kept, products.height - kept.height
        return index(self.name, interactions, products, dropped=dropped)


def _read_reviews(table: RawTable, bad: BadRows) -> pl.DataFrame:
    columns = {
        schema.USER_ID: identifier("user_id"),
        schema.ITEM_ID: identifier(_ID),
        schema.VALUE: rating("rating"),
        schema.TIMESTAMP: timestamp("timestamp", "ms"),
    }
    return read_columns(table, columns, bad)


def _read_products(table: RawTable, template: str, bad: BadRows) -> pl.DataFrame:
    products = read_side_table(table, _ID, schema.ITEM_ID, bad=bad, lists=["categories"])
    kept = [column for column in _TEXT_FIELDS if column in products.columns]
    require_fields(kept, template, table.label)
    joined = [_joined(products, column) for column in kept if column != "categories"]
    products = products.select(schema.ITEM_ID, *joined, *(["categories"] if "categories" in kept else []))
    text = render(products, template).alias(schema.TEXT)
    return products.select(schema.ITEM_ID, text, pl.exclude(schema.ITEM_ID))


def _joined(products: pl.DataFrame, column: str) -> pl.Expr:
    """A list of sentences as one text."""
    text = pl.col(column)
    return (text.list.join(" ") if isinstance(products.schema[column], pl.List) else text).fill_null("")
