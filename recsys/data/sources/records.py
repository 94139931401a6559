"""The records of a delimited text file, counted from its bytes, with checks of quotes and numbers of fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 24
_NEWLINE, _RETURN, _BACKSLASH = 10, 13, 92
_Places = NDArray[np.int64]


class StrayQuoteError(ValueError):
    """A quote that neither opens nor closes a field.

    Attributes:
        line: The line of the quote, or of the beginning of its field.
        is_open: Whether a quoted field is never closed.
        is_escaped: Whether a backslash is before the quote.
        holds_rows: Whether the field has line breaks and each of its lines looks like a row.
    """

    def __init__(self, line: int, is_open: bool = False, is_escaped: bool = False, holds_rows: bool = False) -> None:
        super().__init__(line)
        self.line, self.is_open, self.is_escaped, self.holds_rows = line, is_open, is_escaped, holds_rows


@dataclass(frozen=True)
class Records:
    """The records of a file, numbered from 0 at the first line that is not blank.

    Attributes:
        n: The number of records, blank lines between and after them included.
        lead: The number of blank lines before the first record.
        n_fields: The number of fields of the first record, or the expected number if it was given.
        blank: (B,) the numbers of blank lines.
        ragged: (R,) the numbers of records that do not have `n_fields` fields; an empty last field is not counted.
        found: (R,) their numbers of fields.
        has_quotes: Whether any field is quoted; if none is, quotes are ordinary characters.
    """

    n: int
    lead: int
    n_fields: int
    blank: _Places
    ragged: _Places
    found: _Places
    has_quotes: bool


def survey(
    path: Path, separator: str, quote: str | None, n_fields: int | None = None, spans_lines: bool = False
) -> Records:
    """Count the records of a file and their fields, block by block.

    Args:
        path: UTF-8 text.
        separator: One byte.
        quote: One byte, or None if quotes have no special meaning.
        n_fields: The expected number of fields; None takes that of the first record.
        spans_lines: Whether line breaks within quotes are always allowed. Else they are an error if most records with
            them look like several rows between two stray quotes.

    Raises:
        StrayQuoteError: If a quote is neither at the beginning or end of a field, nor doubled within quotes.
    """
    if quote is not None:
        has_quotes, opens_fields = _use_of_quotes(path, separator, quote)
        if not opens_fields:
            plain = survey(path, separator, None, n_fields)
            if not (has_quotes and len(plain.ragged)):
                return plain
    counts, blank, spans = _fields(path, separator, quote, n_fields)
    if spans.look_like_rows and not spans_lines:
        raise StrayQuoteError(spans.first, holds_rows=True)
    lead = int(np.argmin(blank)) if len(blank) and not blank.all() else len(blank)
    counts, blank = counts[lead:], blank[lead:]
    trailing = counts < 0
    counts = np.abs(counts)
    if n_fields is None:
        n_fields = int(counts[0]) if len(counts) else 0
    header_ends_empty = bool(len(trailing) and trailing[0] and n_fields == counts[0] and n_fields > 1)
    fits = (counts == n_fields) | (trailing & (counts == n_fields + 1))
    fits |= header_ends_empty & (counts == n_fields - 1)
    ragged = np.flatnonzero(~fits & ~blank)
    found = counts[ragged].astype(np.int64)
    return Records(len(counts), lead, n_fields, np.flatnonzero(blank), ragged, found, quote is not None)


def lines_of(path: Path, quote: str | None, records: _Places) -> list[int]:
    """The line on which each of these records begins; `records` count from the first line of the file, ascending."""
    lines: list[int] = []
    seen, start = 0, 1  # records that ended before the block; the line on which the next one starts
    for block in _blocks(path, quote):
        here = block.records
        starts = np.concatenate([[start], block.line + np.searchsorted(block.newlines, here) + 1])
        while len(lines) < len(records) and records[len(lines)] < seen + len(here):
            lines.append(int(starts[records[len(lines)] - seen]))
        if len(lines) == len(records):
            break
        seen, start = seen + len(here), int(starts[-1])
    return lines


@dataclass(frozen=True)
class _Block:
    """A part of a file that ends with a whole line; positions are offsets into its bytes.

    Attributes:
        data: The bytes.
        newlines: The positions of line ends.
        quotes: The positions of quotes.
        inside: Whether the block begins within quotes.
        line: The number of its first line.
    """

    data: NDArray[np.uint8]
    newlines: _Places
    quotes: _Places
    inside: bool
    line: int

    def outside(self, places: _Places) -> _Places:
        """The ascending positions that are not within quotes."""
        if not len(self.quotes):
            return places[:0] if self.inside else places
        return places[(np.searchsorted(self.quotes, places) + self.inside) % 2 == 0]

    @property
    def records(self) -> _Places:
        """The positions at which records end."""
        return self.outside(self.newlines)

    def line_of(self, place: int) -> int:
        return self.line + int(np.searchsorted(self.newlines, place))


def _blocks(path: Path, quote: str | None) -> Iterator[_Block]:
    inside, line = False, 1
    mark = quote.encode() if quote else b""
    with path.open("rb") as file:
        while raw := file.read(_BLOCK):
            raw += file.readline()
            if not raw.endswith(b"\n"):
                raw += b"\n"  # the last line of the file may lack its end
            data = np.frombuffer(raw, np.uint8)
            has_quotes = bool(mark) and mark in raw
            quotes = np.flatnonzero(data == mark[0]) if has_quotes else np.zeros(0, np.int64)
            block = _Block(data, np.flatnonzero(data == _NEWLINE), quotes, inside, line)
            yield block
            inside ^= bool(len(quotes) % 2)
            line += len(block.newlines)


@dataclass
class _Spans:
    """Records of several lines: their number, the number whose lines all look like rows, and the line of the first."""

    n: int = 0
    n_of_rows: int = 0
    first: int = 0

    @property
    def look_like_rows(self) -> bool:
        return self.n_of_rows * 2 > self.n

    def add(self, block: _Block, ends: _Places, separators: _Places, n_fields: int) -> None:
        """Add the records that end in a block and span lines."""
        last = np.searchsorted(block.newlines, ends)
        starts = np.concatenate([[0], last[:-1] + 1])
        fits = np.diff(np.searchsorted(separators, block.newlines[: last[-1] + 1]), prepend=0) + 1 == n_fields
        is_span = last > starts
        is_of_rows = is_span & np.logical_and.reduceat(fits, starts)
        self.n += int(is_span.sum())
        if is_of_rows.any() and not self.n_of_rows:
            self.first = block.line + int(starts[np.argmax(is_of_rows)])
        self.n_of_rows += int(is_of_rows.sum())


def _fields(
    path: Path, separator: str, quote: str | None, n_fields: int | None
) -> tuple[NDArray[np.int32], NDArray[np.bool_], _Spans]:
    """(n,) the number of fields of each record, negative if the last one is empty, and (n,) whether it is blank."""
    counts, blank, before, opened, block, spans = [], [], 0, 1, None, _Spans()
    for block in _blocks(path, quote):
        opened = _check_quotes(block, ord(separator), opened)
        ends = block.records
        separators = np.flatnonzero(block.data == ord(separator))
        places = block.outside(separators)
        until = np.searchsorted(places, ends)
        fields = np.diff(until, prepend=0) + 1
        if len(ends):
            fields[0] += before
            n_fields = int(fields[0]) if n_fields is None else n_fields
            if len(ends) < len(block.newlines) and n_fields > 1:
                spans.add(block, ends, separators, n_fields)
        before = len(places) - int(until[-1]) if len(ends) else before + len(places)
        last = ends - (block.data[ends - 1] == _RETURN)
        starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        is_blank = last <= starts
        if len(ends) and block.inside:
            is_blank[0] = False  # it began in the block before
        ends_empty = (block.data[np.maximum(last - 1, 0)] == ord(separator)) & ~is_blank
        counts.append(np.where(ends_empty, -fields, fields).astype(np.int32))
        blank.append(is_blank)
    if block is not None and (block.inside + len(block.quotes)) % 2:
        raise StrayQuoteError(opened, is_open=True)
    if not counts:
        return np.zeros(0, np.int32), np.zeros(0, np.bool_), spans
    return np.concatenate(counts), np.concatenate(blank), spans


def _check_quotes(block: _Block, separator: int, opened: int) -> int:
    """Check each quote of a block; returns the line of the last one that opens a field."""
    quotes = block.quotes
    if not len(quotes):
        return opened
    data, mark = block.data, block.data[quotes[0]]
    opening, closing = quotes[int(block.inside) :: 2], quotes[1 - int(block.inside) :: 2]
    before = np.where(opening > 0, data[opening - 1], _NEWLINE)
    after, next_after = data[closing + 1], data[np.minimum(closing + 2, len(data) - 1)]
    starts = (before == separator) | (before == _NEWLINE) | (before == mark)
    ends = (after == separator) | (after == _NEWLINE) | (after == mark)
    ends |= (after == _RETURN) & (next_after == _NEWLINE)
    wrong = np.concatenate([opening[~starts], closing[~ends]])
    if len(wrong):
        place = int(wrong.min())
        is_escaped = bool(place and data[place - 1] == _BACKSLASH)
        if place in opening:
            raise StrayQuoteError(block.line_of(place), is_escaped=is_escaped)
        # A quote that closes too early: the field began at the quote before.
        owner = opening[np.searchsorted(opening, place) - 1] if len(opening) and opening[0] < place else None
        raise StrayQuoteError(opened if owner is None else block.line_of(int(owner)), is_escaped=is_escaped)
    return block.line_of(int(opening[-1])) if len(opening) else opened


def _use_of_quotes(path: Path, separator: str, quote: str) -> tuple[bool, bool]:
    """Whether there are quotes, and whether any of them begins a field."""
    mark, found = ord(quote), False
    with path.open("rb") as file:
        while raw := file.read(_BLOCK):
            raw += file.readline()
            if quote.encode() not in raw:
                continue
            found = True
            data = np.frombuffer(raw, np.uint8)
            places = np.flatnonzero(data == mark)
            before = np.where(places > 0, data[places - 1], _NEWLINE)
            if ((before == ord(separator)) | (before == _NEWLINE)).any():
                return True, True
    return found, False
