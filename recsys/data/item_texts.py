"""Whether items have texts, and a template of their texts over the columns that have words."""

from __future__ import annotations

import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset

_OWN_COLUMNS = (schema.ITEM_ID, schema.TEXT)


def have_texts(dataset: Dataset) -> bool:
    """Whether at least one item has a text that is not blank."""
    return bool((dataset.items[schema.TEXT].str.strip_chars() != "").any())


def columns_of(items: pl.DataFrame) -> list[str]:
    """The names of the items' columns other than their id and text."""
    return [name for name in items.columns if name not in _OWN_COLUMNS]


def template_of(items: pl.DataFrame) -> str | None:
    """A template of all text columns of the items; None if there are none.

    Example:
        >>> template_of(pl.DataFrame({"item_id": ["1"], "text": [""], "name": ["Tea"], "note": ["green"], "n": [2]}))
        '{name}. {note}'
    """
    names = [name for name in columns_of(items) if items.schema[name] == pl.String and not set("{}!:") & set(name)]
    worded = [name for name in names if items[name].fill_null("").str.contains(r"\p{L}").any()]
    return ". ".join(f"{{{name}}}" for name in worded) or None
