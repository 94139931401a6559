"""Files of items that are new since the run, with the columns of the run's data."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from omegaconf import DictConfig, OmegaConf

from recsys import schema
from recsys.data.sources.indexing import to_index
from recsys.data.sources.templates import fields, render
from recsys.schema import ConfigError, DataError
from recsys.serving.model import Served
from recsys.serving.table_files import PLAIN, TextFormat, read_table

KEY = "items"
LIST_SEPARATOR = "|"  # between the entries of a list in a text field


def check_serves_new_items(served: Served) -> None:
    """Raise an error if the model cannot represent new items.

    Raises:
        ConfigError: If the model does not read the items' texts.
    """
    if served.model.features is None or not served.model.features.reads_text:
        chosen = " ".join(f"{group}={served.run.cfg.choices[group]}" for group in ("ranker", "features", "encoder"))
        raise ConfigError(
            f"items=… needs a run whose model reads an item's text; this one has {chosen}, "
            "which represents only the items that it was trained on. "
            "Use a run with ranker=dot, mlp or cf and encoder=bert (or tfidf, gpt2)."
        )


def template_of(cfg: DictConfig) -> str | None:
    """The template of the item texts that a run's model reads; None if it has none."""
    return (
        cfg.get("item_text") or OmegaConf.select(cfg.data, "template") or OmegaConf.select(cfg.data, "items.template")
    )


def read_items(
    path: Path,
    catalogue: pl.DataFrame,
    template: str | None,
    text: TextFormat = PLAIN,
) -> pl.DataFrame:
    """Read new items: `item_id`, `text`, and the file's further columns, in the catalogue's types if it has them.

    The text is made by the template if the file has all of its columns; otherwise it is the column `text`.

    Args:
        path: A csv, tsv, jsonl or parquet file with a column `item_id`.
        catalogue: The run's items.
        template: Template of the texts of the run's data; None if it has none.
        text: Format of the file, if it is text.

    Raises:
        DataError: If the file is malformed, an id occurs twice or is in the catalogue already, an item has no text, or
            a value does not fit the catalogue's column.
    """
    frame = read_table(path, KEY, [schema.ITEM_ID], text)
    if frame.is_empty():
        raise DataError(f"{KEY}: {path} has no rows; expected an item in each.")
    _refuse_known(frame[schema.ITEM_ID], catalogue, path)
    needed = [name for _, name in fields(template or "") if name]
    if needed and set(needed) <= set(frame.columns):
        frame = _with_lists(frame, needed, catalogue)
        frame = frame.with_columns(render(_readable(frame, needed), template or "").alias(schema.TEXT))
    elif schema.TEXT not in frame.columns:
        wanted = f"{', '.join(needed)} (for the data's template {template!r}) or " if needed else ""
        raise DataError(f"{KEY}: {path} has {', '.join(frame.columns)}; expected the columns {wanted}{schema.TEXT}.")
    frame = frame.with_columns(pl.col(schema.TEXT).cast(pl.String).fill_null("").str.strip_chars())
    _refuse_empty(frame, path)
    return _cast(frame, catalogue, path)


def _refuse_known(ids: pl.Series, catalogue: pl.DataFrame, path: Path) -> None:
    twice, known = ids.is_first_distinct().not_(), to_index(ids, catalogue[schema.ITEM_ID]).is_not_null()
    for wrong, why in ((twice, "again, expected each id once"), (known, "which is an item of the run's data already")):
        if wrong.any():
            row = wrong.arg_true()[0]
            raise DataError(f"{KEY}: {path}: row {row + 1}: found the id {ids[row]!r} {why}.")


def _refuse_empty(frame: pl.DataFrame, path: Path) -> None:
    empty = frame[schema.TEXT] == ""
    if empty.any():
        row = empty.arg_true()[0]
        raise DataError(
            f"{KEY}: {path}: row {row + 1} (id {frame[schema.ITEM_ID][row]!r}) has no text, which a new item needs."
        )


def _with_lists(frame: pl.DataFrame, needed: list[str], catalogue: pl.DataFrame) -> pl.DataFrame:
    """Split the fields that the data's source reads as lists."""
    for name in needed:
        # If the source does not keep a column under its name, it became the column of categories.
        became = name if name in catalogue.columns else schema.CATEGORIES
        if not isinstance(catalogue.schema.get(became), pl.List):
            continue
        if frame.schema[name] == pl.String:
            frame = frame.with_columns(pl.col(name).fill_null("").str.split(LIST_SEPARATOR))
        if became not in frame.columns:
            frame = frame.with_columns(pl.col(name).alias(became))
    return frame


def _readable(frame: pl.DataFrame, needed: list[str]) -> pl.DataFrame:
    plain = [name for name in dict.fromkeys(needed) if not isinstance(frame.schema[name], pl.List)]
    return frame.with_columns(pl.col(name).cast(pl.String) for name in plain)


def _cast(frame: pl.DataFrame, catalogue: pl.DataFrame, path: Path) -> pl.DataFrame:
    for name in [column for column in frame.columns if column in catalogue.columns]:
        wanted = catalogue.schema[name]
        try:
            column = frame[name]
            if isinstance(wanted, pl.List) and column.dtype == pl.String:
                column = column.str.split(LIST_SEPARATOR)
            frame = frame.with_columns(column.cast(wanted))
        except pl.exceptions.PolarsError as error:
            raise DataError(
                f"{KEY}: {path}: column {name!r} is {frame.schema[name]} and does not fit the data's, {wanted} "
                f"({error})."
            ) from error
    return frame
