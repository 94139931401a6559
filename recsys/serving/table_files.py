"""Reading of tables that users give to commands: csv, tsv, jsonl, parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from recsys import schema
from recsys.config.value_checks import check_keys
from recsys.data.sources.columns import shown
from recsys.data.sources.csv_table import CsvTable, mark_of, separator_of
from recsys.data.sources.faults import BadRows
from recsys.data.sources.json_lines import JsonLinesTable, literal
from recsys.data.sources.raw import RawFile, is_utf8, wrong_byte
from recsys.data.sources.reading import add_ragged, check_height
from recsys.schema import DataError
from recsys.support.near_names import nearest

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
LISTS = (".txt", "")


@dataclass(frozen=True)
class TextFormat:
    """Format of text files; the keys have the names and meanings of those of `data=table`.

    Attributes:
        separator: Separator of columns; None is a comma for csv and a tab for tsv.
        encoding: Encoding of csv, tsv, jsonl and txt files.
        quote: Character around fields that contain a separator; None if quotes have no meaning.
        escape: Character before a quote in a quoted field; None if such quotes are doubled.
    """

    separator: str | None = None
    encoding: str = "utf-8"
    quote: str | None = '"'
    escape: str | None = None

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> TextFormat:
        """The format that the node `data` of a command describes.

        Raises:
            ConfigError: If a key is unknown or a value invalid.
        """
        check_keys("data", node, cls.__dataclass_fields__)
        encoding = node.get("encoding", cls.encoding)
        is_utf8(encoding)
        quote, escape = node.get("quote", cls.quote), node.get("escape")
        marks = mark_of(quote, "data.quote", "'\"'"), mark_of(escape, "data.escape", r"'\\'")
        return cls(separator_of(node.get("separator")), encoding, *marks)


PLAIN = TextFormat()


def read_ids(path: Path, text: TextFormat = PLAIN) -> pl.Series | None:
    """The ids of a file with one id on each line (.txt or no ending); None for a file of another format.

    Raises:
        DataError: If the file has another encoding.
    """
    if path.suffix not in LISTS or not path.is_file():
        return None
    try:
        content = path.read_text(encoding="utf-8-sig" if is_utf8(text.encoding) else text.encoding)
    except UnicodeError as error:
        unfit = f"{path}: cannot be read as {text.encoding} ({error}); data.encoding names the file's own."
        raise wrong_byte(RawFile(path), text.encoding) or DataError(unfit) from None
    lines = content.removeprefix("\ufeff").split("\n")
    return pl.Series([line.strip() for line in lines if line.strip()], dtype=pl.String)


def read_table(path: Path, key: str, ids: Sequence[str], text: TextFormat = PLAIN) -> pl.DataFrame:
    """Read a table that must have the columns `ids`, which are read as strings.

    Args:
        path: Path of the file.
        key: Config key of the file, for messages.
        ids: Columns of ids.
        text: Format of the file, if it is text.

    Raises:
        DataError: If the file is missing, malformed, of an unknown format or without one of these columns, or an id is
            missing.
    """
    if not path.is_file():
        raise DataError(f"{key}: there is no file {path.absolute()}.")
    if path.suffix not in FORMATS:
        raise DataError(f"{key}: {path} is of an unknown format; expected a file that ends in {', '.join(FORMATS)}.")
    try:
        with TemporaryDirectory(prefix="recsys-") as folder:
            frame = _read(RawFile(path), Path(folder), ids, text)
    except DataError as error:
        raise DataError(f"{key}: {error}") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{key}: {path} cannot be read ({error}).") from error
    for column in ids:
        if column not in frame.columns:
            found = ", ".join(map(shown, frame.columns))
            if "\t" in frame.columns[0]:
                hint = ". The header has tabs: set data.separator=tab."
            else:
                hint = nearest(column, map(shown, frame.columns), "'") or "."
            raise DataError(f"{key}: {path} has no column {column!r}; it has {found}{hint}")
        values = frame[column]
        if values.dtype.is_nested():
            raise DataError(f"{key}: {path}: column {column!r} is {values.dtype}; expected one id in each row.")
        empty = values.is_null() | (values.cast(pl.String) == "").fill_null(True)
        if empty.any():
            row = empty.arg_true()[0] + 1
            raise DataError(f"{key}: {path}: row {row} has no {column}; expected an id in each row.")
    return frame.with_columns(pl.col(column).cast(pl.String) for column in ids)


def _read(file: RawFile, scratch: Path, ids: Sequence[str], text: TextFormat) -> pl.DataFrame:
    if file.suffix == ".parquet":
        return pl.read_parquet(file.path, glob=False)
    if file.suffix == ".jsonl":
        return _read_json_lines(JsonLinesTable(file, scratch, text.encoding), ids)
    separator = text.separator or ("\t" if file.suffix == ".tsv" else ",")
    table = CsvTable(file, scratch, separator, text.encoding, text.quote, escape=text.escape)
    faults = BadRows()
    add_ragged(table, faults)
    faults.finish()
    frame = table.collect(table.frame)
    check_height(table, frame.height)
    is_blank = pl.arange(frame.height, eager=True).is_in(table.blank.tolist())
    return frame.filter(~is_blank)


def _read_json_lines(table: JsonLinesTable, ids: Sequence[str]) -> pl.DataFrame:
    """The table with ids as strings and all other columns in the types of their values."""
    texts = {name: pl.String for name in ids if name in table.columns}
    for name in texts:
        wrong = table.containers(name, table.collect(table.frame.select(name))[name])
        if len(wrong):
            raise DataError(
                f"{table.place(int(wrong[0]))}: column {name!r}: found a list or an object, expected an id."
            )
    try:
        return table.collect(pl.scan_ndjson(literal(table.path), schema_overrides=texts, infer_schema_length=None))
    except DataError:  # columns with values of several types become strings
        return table.with_lists(table.collect(table.frame), [schema.HISTORY])
