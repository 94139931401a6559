"""Delimited text: its records are counted and checked as bytes, then read by polars."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.sources.raw import UNIT_SEPARATOR, RawFile, plain_text, wrong_byte
from recsys.data.sources.raw_tables import RawTable
from recsys.data.sources.records import StrayQuoteError, lines_of, survey
from recsys.schema import ConfigError, DataError

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")
_ALIASES = {r"\t": "\t", r"\\t": "\t", "tab": "\t", "TAB": "\t"}

_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}


class CsvTable(RawTable):
    """Delimited text, such as csv.

    Args:
        file: The file.
        scratch: A folder for a plain copy.
        separator: The separator of columns.
        encoding: The file's encoding.
        quote: The mark around fields that contain a separator; None if quotes have no special meaning.
        names: The columns of a file without a header; None takes its first line.
        escape: The mark before a quote within a quoted field; None if such quotes are doubled. If it is the quote
            itself, quoted fields may contain line breaks, even if their lines look like rows.
        is_fixed: Whether the layout is a published one that no key changes, for messages.
        separator_key: The configuration's key of the separator, for messages.

    Raises:
        DataError: If a quote is ambiguous, or no row has as many fields as `names`; the message names the line.
    """

    def __init__(
        self,
        file: RawFile,
        scratch: Path,
        separator: str = ",",
        encoding: str = "utf-8",
        quote: str | None = '"',
        names: Sequence[str] | None = None,
        escape: str | None = None,
        is_fixed: bool = False,
        separator_key: str = "data.separator",
    ) -> None:
        self.is_fixed, self.separator_key = is_fixed, separator_key
        self.path = plain_text(file, scratch, encoding, separator, quote, "" if escape in (None, quote) else escape)
        self.separator = separator if len(separator.encode()) == 1 else UNIT_SEPARATOR
        self.encoding, self.header = encoding, names is None
        self.file, self.label, self.mark = file, file.label, quote
        try:
            n_fields, spans_lines = None if names is None else len(names), escape == quote
            self.records = survey(self.path, self.separator, quote, n_fields, spans_lines)
        except StrayQuoteError as error:
            raise wrong_byte(file, encoding) or self._stray(error) from None
        self.quote = quote if self.records.has_quotes else None
        self._check_width()
        first = int(self.header)
        self.n_rows = max(0, self.records.n - first)
        self.blank, self.ragged = self.records.blank - first, self.records.ragged - first
        frame = pl.scan_csv(
            self.path if names is None or not self._begins_short() else self._with_wide_first_row(scratch),
            glob=False,
            separator=self.separator,
            quote_char=self.quote,
            has_header=self.header,
            infer_schema=False,
            schema=None if names is None else dict.fromkeys(names, pl.String),
            truncate_ragged_lines=True,  # rows with too many fields are counted by the survey
            extra_columns="raise" if names is None else "ignore",  # those of a first row with too many fields
            skip_rows=0 if self.header else self.records.lead,  # blank lines before a header are skipped anyway
        )
        if self.separator != separator and self.quote is not None:  # separators within quotes
            frame = frame.with_columns(pl.all().str.replace_all(self.separator, separator, literal=True))
        super().__init__(file, frame)
        self.first_row_is_data = self.header and not is_fixed and looks_like_data(self.columns)

    @property
    def columns(self) -> list[str]:
        """The names of its columns.

        Raises:
            DataError: If they are not in the given encoding.
        """
        names = super().columns
        is_garbled = any("\ufffd" in name for name in names)
        if is_garbled and (wrong := wrong_byte(self.file, self.encoding)):
            raise wrong
        return names

    def places(self, rows: Sequence[int]) -> list[str]:
        """`file:line` of rows, also if quoted fields contain line breaks."""
        numbers = np.asarray(rows, np.int64) + self.header + self.records.lead
        return [f"{self.label}:{line}" for line in lines_of(self.path, self.quote, numbers)]

    def ragged_fault(self, row: int) -> str:
        """The message about the number of fields of a row of `ragged`."""
        found = int(self.records.found[np.searchsorted(self.ragged, row)])
        line = self.records.lead + 1
        if self.is_fixed:
            return f"found {found} fields, expected {self.records.n_fields}, as in the published file"
        expected = f"{self.records.n_fields} as in {f'line {line}' if self.header else 'data.columns'}"
        return f"found {found} fields, expected {expected}; check {self.separator_key}, and quote fields that hold it"

    def ragged_rows(self, is_long: bool) -> NDArray[np.int64]:
        """The rows of `ragged` with too many fields, or those with too few."""
        return self.ragged[(self.records.found > self.records.n_fields) == is_long]

    def _begins_short(self) -> bool:
        """Whether the first row has too few fields; polars would read as many columns as it has."""
        ragged = self.ragged
        return bool(len(ragged) and ragged[0] == 0 and self.records.found[0] < self.records.n_fields)

    def _with_wide_first_row(self, scratch: Path) -> Path:
        """A copy whose first row is padded to the number of columns; that row is faulty, so its values are not used."""
        target = scratch / f"{len(list(scratch.iterdir()))}.txt"
        further = self.separator.encode() * (self.records.n_fields - int(self.records.found[0]))
        with self.path.open("rb") as source, target.open("wb") as out:
            for _ in range(self.records.lead):
                out.write(source.readline())
            out.write(further)
            shutil.copyfileobj(source, out, 1 << 20)
        return target

    def _check_width(self) -> None:
        """Raise an error if no row has as many fields as there are names of columns."""
        records = self.records
        n_filled = records.n - len(records.blank)
        if not self.header and n_filled and len(records.ragged) == n_filled:
            found, expected = int(records.found[0]), records.n_fields
            place = f"{self.label}:{records.lead + 1}"
            raise DataError(f"{place}: found {found} fields, expected {expected} as in the columns that were named.")

    def _stray(self, error: StrayQuoteError) -> DataError:
        if self.is_fixed:
            return DataError(f"{self.label}:{error.line}: a quote is never closed or ambiguous; get the file anew.")
        if error.holds_rows:
            wrong = "a quoted field has line breaks, and its lines look like rows"
            advice = f"set data.quote=null if quotes mean nothing in this file, or data.escape='{self.mark}' if the "
            return DataError(f"{self.label}:{error.line}: {wrong}; {advice}field is right.")
        wrong = "is never closed" if error.is_open else "is ambiguous"
        escape = r"set data.escape='\\' if quotes within a field are written \"; " if error.is_escaped else ""
        advice = f"{escape}set data.quote=null if quotes mean nothing in this file; else double it within quotes"
        if not error.is_escaped:
            advice += " (or name the character before it: data.escape)"
        hint = self._hint_of_first_line()
        return DataError(
            f"{self.label}:{error.line}: a quoted field that is malformed: a quote {wrong}; {advice}.{hint}"
        )

    def _hint_of_first_line(self) -> str:
        with self.path.open("rb") as file:
            line = file.readline().decode(errors="replace")
        return "" if self.separator in line else separator_hint(line, self.separator_key)

    def _diagnose(self, error: Exception) -> DataError:
        return wrong_byte(self.file, self.encoding) or super()._diagnose(error)


def separator_hint(header: str, key: str = "data.separator") -> str:
    """The end of a message about a header without the expected separator; empty if it has no other one either.

    Example:
        >>> separator_hint("user\\titem", "data.items.separator")
        ' The header has tabs: set data.items.separator=tab.'
    """
    found = next(((mark, name) for mark, name in _SEPARATORS.items() if mark in header), None)
    if found is None:
        return ""
    setting = f"{key}=tab" if found[0] == "\t" else f"\"{key}='{found[0]}'\""
    return f" The header has {found[1]}: set {setting}."


def looks_like_data(names: Sequence[str]) -> bool:
    """Whether the first line of a file has numbers or dates where names of columns are expected.

    Example:
        >>> looks_like_data(["1", "1193", "5", "978300760"]), looks_like_data(["", "0", "1"])
        (True, False)
    """
    filled = [name for name in names if name]
    counted = [[str(number) for number in range(start, start + len(filled))] for start in (0, 1)]
    return filled not in counted and any(is_value(name) for name in filled)


def is_value(name: str) -> bool:
    """Whether a name is a number or a date.

    Example:
        >>> is_value("1e5"), is_value("2018-09-20"), is_value("user_2")
        (True, True, False)
    """
    return bool(_NUMBER.fullmatch(name.strip()) or _DATE.fullmatch(name.strip()))


def separator_of(written: str | None, key: str = "data.separator") -> str | None:
    r"""A separator as written on a command line: `\t` and `tab` are a tab.

    Raises:
        ConfigError: If it is not a string, is empty, or has a line break or a quote.

    Example:
        >>> separator_of(r"\t"), separator_of("::")
        ('\t', '::')
    """
    if written is None:
        return None
    if not isinstance(written, str) or not written or set(written) & set('\r\n"\0'):
        raise ConfigError(f"{key} is {written!r}; expected the characters between columns, such as ',' or tab.")
    return _ALIASES.get(written, written)


def mark_of(written: str | None, key: str, example: str) -> str | None:
    r"""A quote or an escape: one ASCII character, or None.

    Raises:
        ConfigError: If it is something else.

    Example:
        >>> mark_of("\\\\", "data.escape", "'")
        '\\'
    """
    if written in (None, ""):
        return None
    if written == "\\\\":
        return "\\"
    if not isinstance(written, str) or len(written) != 1 or not "!" <= written <= "~" or written.isalnum():
        raise ConfigError(f"{key} is {written!r}; expected one character such as {example}, or null.")
    return written
