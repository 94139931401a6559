"""Raw files, plain, gzipped or in a zip, in any encoding, and their conversion for polars."""

from __future__ import annotations

import codecs
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast

from recsys.schema import ConfigError, DataError

UNIT_SEPARATOR = "\x1f"  # replaces a separator of several characters, which polars cannot read
_BLOCK = 1 << 24
_HEAD = 1 << 20
_MARK = "\ufeff"  # a byte order mark, as Windows programs write it before a text


@dataclass(frozen=True)
class RawFile:
    """A raw file: itself, gzipped (`.gz`), or a `member` of a zip."""

    path: Path
    member: str | None = None

    @property
    def label(self) -> str:
        """Its name in messages: the path, and the member of a zip."""
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def suffix(self) -> str:
        """Its format: the last suffix, not counting `.gz`."""
        name = Path(self.member or self.path.name)
        return Path(name.stem).suffix if name.suffix == ".gz" else name.suffix

    @property
    def is_packed(self) -> bool:
        """Whether it must be unpacked before polars can read it."""
        return self.member is not None or self.path.suffix == ".gz"

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its unpacked content."""
        if self.member is not None:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                yield file
        elif self.path.suffix == ".gz":
            with gzip.open(self.path) as unpacked:
                yield cast(IO[bytes], unpacked)
        else:
            with self.path.open("rb") as plain:
                yield plain


def existing(path: Path, key: str, is_file: bool = False) -> Path:
    """The path, if it exists and, with `is_file`, is not a folder.

    Raises:
        DataError: Otherwise; the message names the configuration's key.
    """
    if not path.exists():
        raise DataError(f"{key}: there is no file or folder {path.absolute()}.")
    if is_file and path.is_dir():
        raise DataError(f"{key}: {path.absolute()} is a folder; expected a file.")
    return path


def find(path: Path, name: str) -> RawFile | None:
    """The file called `name` in a folder or in any folder of a zip; None if it does not exist.

    Raises:
        DataError: If the path is neither a folder nor a zip.
    """
    if path.is_dir():
        return RawFile(path / name) if (path / name).is_file() else None
    members = [member for member in _members(path) if Path(member).name == name and not member.startswith("__MACOSX")]
    return RawFile(path, members[0]) if members else None


def plain_text(
    file: RawFile,
    folder: Path,
    encoding: str = "utf-8",
    separator: str = ",",
    quote: str | None = None,
    escape: str = "",
) -> Path:
    """The file as plain UTF-8 with separators of one byte and doubled quotes: itself, or a copy in `folder`.

    A byte order mark is skipped, and carriage returns of old Macs become new lines. The file is copied in blocks.

    Args:
        file: The file.
        folder: The folder for the copy.
        encoding: The file's encoding.
        separator: The separator of columns; one of several bytes becomes UNIT_SEPARATOR.
        quote: The mark around fields; None if quotes have no special meaning.
        escape: The mark before a quote that is part of a field; empty if such quotes are doubled.

    Raises:
        DataError: If the file is empty, damaged, or not in this encoding.
        ConfigError: If there is no such encoding.
    """
    change = _Change(encoding, separator if _is_wide(separator) else "", quote or "", escape if quote else "")
    if not file.is_packed and is_utf8(encoding) and not change.is_needed and not _has_odd_start(file.path):
        path = file.path
    else:
        path = folder / f"{len(list(folder.iterdir()))}.txt"
        _copy(file, path, change)
    if not path.stat().st_size:
        raise DataError(f"{file.label}: the file is empty.")
    return path


def wrong_byte(file: RawFile, encoding: str) -> DataError | None:
    """The error for the first byte that is not in this encoding; None if all are, or for encodings such as utf-16."""
    if "\n".encode(encoding) != b"\n":
        return None
    with file.open() as binary:
        for number, line in enumerate(binary, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                return DataError(
                    f"{file.label}:{number}: byte 0x{line[error.start]:02x} at position {error.start + 1} of the line "
                    f"is not {encoding}; if the file is in another encoding, name it: data.encoding=latin-1."
                )
    return None


def is_utf8(encoding: str) -> bool:
    """Whether a name of an encoding means UTF-8.

    Raises:
        ConfigError: If it is not the name of a text encoding.
    """
    known = "use a name such as utf-8, latin-1, cp1252"
    try:
        found = codecs.lookup(encoding)
    except (LookupError, TypeError) as error:
        raise ConfigError(f"data.encoding={encoding} is unknown; {known}.") from error
    if not getattr(found, "_is_text_encoding", True):
        raise ConfigError(f"data.encoding={encoding} is not a text encoding; {known}.")
    return found.name in ("utf-8", "utf-8-sig")


@dataclass(frozen=True)
class _Change:
    """The changes of a copy: its encoding, a separator of several bytes, and escaped quotes; empty for none."""

    encoding: str
    separator: str
    quote: str
    escape: str

    @property
    def is_needed(self) -> bool:
        return bool(self.separator or self.escape)

    def of(self, text: str) -> str:
        if self.escape:
            pair = re.escape(self.escape) + f"([{re.escape(self.escape + self.quote)}])"
            text = re.sub(pair, lambda found: self.quote * 2 if found[1] == self.quote else found[1], text)
        return text.replace(self.separator, UNIT_SEPARATOR) if self.separator else text


def _has_odd_start(path: Path) -> bool:
    """Whether a file begins with a byte order mark, or its lines end as on old Macs."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.startswith(codecs.BOM_UTF8) or _is_mac(head)


def _is_mac(head: bytes | str) -> bool:
    return ("\r" in head and "\n" not in head) if isinstance(head, str) else b"\r" in head and b"\n" not in head


def _copy(file: RawFile, target: Path, change: _Change) -> None:
    try:
        with file.open() as source, target.open("wb") as out:
            if is_utf8(change.encoding) and not change.is_needed:
                head = source.read(_HEAD)
                is_mac = _is_mac(head)
                out.write(head.removeprefix(codecs.BOM_UTF8).replace(b"\r", b"\n" if is_mac else b"\r"))
                while block := source.read(_BLOCK):
                    out.write(block.replace(b"\r", b"\n") if is_mac else block)
                return
            text = TextIOWrapper(source, encoding=change.encoding, newline="")
            is_first, is_mac = True, False
            while lines := text.readlines(_BLOCK):
                part = "".join(lines)
                if is_first:
                    part, is_first, is_mac = part.removeprefix(_MARK), False, _is_mac(part)
                out.write(change.of(part.replace("\r", "\n") if is_mac else part).encode())
    except UnicodeError as error:
        unfit = f"{file.label}: cannot be read as {change.encoding} ({error}); data.encoding names the file's own."
        raise wrong_byte(file, change.encoding) or DataError(unfit) from None
    except (EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{file.label}: cannot be unpacked ({error}); fetch the file again.") from error


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(archive.namelist())
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: not a folder and not a zip ({error}).") from error


def _is_wide(separator: str) -> bool:
    return len(separator.encode()) > 1
