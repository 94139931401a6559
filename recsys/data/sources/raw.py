"""Raw files: on their own, gzipped, or in a zip, in any encoding, made plain for polars."""

from __future__ import annotations

import codecs
import gzip
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast

from recsys.schema import ConfigError, DataError

UNIT_SEPARATOR = "\x1f"  # stands for a separator of several characters, which polars cannot read
_BLOCK = 1 << 24


@dataclass(frozen=True)
class RawFile:
    """A raw file: itself, gzipped (`.gz`), or a `member` of a zip."""

    path: Path
    member: str | None = None

    @property
    def label(self) -> str:
        """How messages name it."""
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def suffix(self) -> str:
        """Its format: the last suffix, not counting `.gz`."""
        name = Path(self.member or self.path.name)
        return Path(name.stem).suffix if name.suffix == ".gz" else name.suffix

    @property
    def is_packed(self) -> bool:
        """Whether polars cannot read it where it is."""
        return self.member is not None or self.path.suffix == ".gz"

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its content, unpacked."""
        if self.member is not None:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                yield file
        elif self.path.suffix == ".gz":
            with gzip.open(self.path) as unpacked:
                yield cast(IO[bytes], unpacked)
        else:
            with self.path.open("rb") as plain:
                yield plain


def existing(path: Path, key: str) -> Path:
    """The path, if there is something.

    Raises:
        DataError: If there is not; the message names the configuration's key.
    """
    if not path.exists():
        raise DataError(f"{key}: there is no file or folder {path.absolute()}.")
    return path


def find(path: Path, name: str) -> RawFile | None:
    """The file called `name` in a folder or a zip, in whatever folder of the zip; None if it is not there."""
    if path.is_dir():
        return RawFile(path / name) if (path / name).is_file() else None
    members = [member for member in _members(path) if Path(member).name == name and not member.startswith("__MACOSX")]
    return RawFile(path, members[0]) if members else None


def plain_text(file: RawFile, folder: Path, encoding: str = "utf-8", separator: str = ",") -> Path:
    """The file as plain UTF-8 with a separator of one character: itself, or a copy in `folder`; memory is bounded.

    Raises:
        DataError: If the file is empty, damaged, or not in this encoding.
        ConfigError: If there is no such encoding.
    """
    if not file.is_packed and _is_utf8(encoding) and len(separator) == 1:
        path = file.path
    else:
        path = folder / f"{len(list(folder.iterdir()))}.txt"
        _copy(file, path, encoding, separator)
    if not path.stat().st_size:
        raise DataError(f"{file.label}: the file is empty.")
    return path


def wrong_byte(file: RawFile, encoding: str) -> DataError | None:
    """What to say of the first byte that is not in this encoding, if there is one."""
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


def _copy(file: RawFile, target: Path, encoding: str, separator: str) -> None:
    try:
        with file.open() as source, target.open("wb") as out:
            if _is_utf8(encoding) and len(separator) == 1:
                shutil.copyfileobj(source, out, _BLOCK)
                return
            text = TextIOWrapper(source, encoding=encoding, newline="")
            while lines := text.readlines(_BLOCK):
                block = "".join(lines)
                out.write((block.replace(separator, UNIT_SEPARATOR) if len(separator) > 1 else block).encode())
    except UnicodeDecodeError as error:
        raise wrong_byte(file, encoding) or error from None
    except (EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{file.label}: cannot be unpacked ({error}); fetch the file again.") from error


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(archive.namelist())
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: not a folder and not a zip ({error}).") from error


def _is_utf8(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name == "utf-8"
    except LookupError as error:
        raise ConfigError(f"data.encoding={encoding} is unknown; use a name such as utf-8, latin-1, cp1252.") from error
