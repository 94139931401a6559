"""RecBole's atomic files: tab-separated, with a header of names and types such as `user_id:token`."""

from __future__ import annotations

from pathlib import Path

from recsys.data.sources.csv_table import CsvTable
from recsys.data.sources.raw import RawFile
from recsys.schema import DataError

ATOMIC = (".inter", ".item", ".user")
TYPES = ("token", "token_seq", "float", "float_seq")


class AtomicTable(CsvTable):
    """An atomic file; its columns have their names without the types.

    Attributes:
        types: The type of each column.

    Raises:
        DataError: If a column of the header has no name or an unknown type.
    """

    def __init__(self, file: RawFile, scratch: Path, separator: str = "\t", encoding: str = "utf-8") -> None:
        super().__init__(file, scratch, separator, encoding, quote=None)
        self.types = {}
        for position, typed in enumerate(self.columns, start=1):
            name, _, kind = typed.rpartition(":")
            if kind not in TYPES or not name:
                found = f"column {position} of the header: found {typed!r}"
                raise DataError(f"{self.label}:1: {found}, expected name:type with a type of {', '.join(TYPES)}.")
            self.types[name] = kind
        self.frame = self.frame.rename(dict(zip(self.columns, self.types, strict=True)))
