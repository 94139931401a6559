"""Texts that a language model wrote about items or users, joined to a split whose train part it may have read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from recsys.data.dataset import frame_hash
from recsys.data.provenance import provenance_file, read_provenance
from recsys.data.splits.split import Split
from recsys.schema import ITEM_ID, TRAIN, USER_ID, WRITTEN, ConfigError

ABOUT_ITEMS, ABOUT_USERS = "items", "users"
ID_COLUMNS = {ABOUT_ITEMS: ITEM_ID, ABOUT_USERS: USER_ID}
NOTHING = "none"  # for texts that are written from the catalogue alone
# Keys of the provenance.
ABOUT, SHA256, READ, SPLIT = "about", "texts_sha256", "interactions_read", "split_fingerprint"
KEY = WRITTEN


@dataclass(frozen=True)
class WrittenTexts:
    """A file of texts with its provenance.

    Attributes:
        path: The file's path.
        about: "items" or "users".
        table: The raw ids, and the texts in the column `written`; null for no text.
        provenance: The content of the yaml beside the file.
        sha256: The hash of the table's content.
    """

    path: Path
    about: str
    table: pl.DataFrame
    provenance: dict[str, Any]
    sha256: str

    def check(self, split: Split) -> None:
        """Raise an error if, by their provenance, the texts read more than the train part of this split.

        Raises:
            ConfigError: With the file and the interactions that its texts read.
        """
        read, of = self.provenance.get(READ), self.provenance.get(SPLIT)
        if self.about == ABOUT_ITEMS and read == NOTHING:
            return
        what = {TRAIN: "the train interactions", NOTHING: "no interactions", None: "unknown interactions"}
        if read != TRAIN or of != split.fingerprint:
            raise ConfigError(
                f"{KEY}: the texts of {self.path} read {what.get(read, f'the interactions {read!r}')} of the split "
                f"{of or 'unknown'}; expected texts that read only the train part of this run's split, "
                f"{split.fingerprint}."
            )
        if split.withheld is not None:
            raise ConfigError(
                f"{KEY}: the texts of {self.path} read all train interactions, and train_share or train_per_user "
                "withhold some of them from this run; expected train_share=1 train_per_user=null."
            )

    def join(self, split: Split) -> Split:
        """The split with the column `written` in its catalogue or table of users; its fingerprint does not change.

        Raises:
            ConfigError: If the texts read more than the train part, are about none of the split's items or users, or
                the data has a column `written`.
        """
        self.check(split)
        key, frame = ID_COLUMNS[self.about], getattr(split.dataset, self.about)
        if WRITTEN in frame.columns:
            raise ConfigError(f"{KEY}: the data's {self.about} have a column {WRITTEN!r} already: rename it.")
        joined = frame.join(self.table, on=key, how="left", maintain_order="left")
        n_texts = joined.height - joined[WRITTEN].null_count()
        if not n_texts:
            raise ConfigError(f"{KEY}: {self.path} has a text about none of the data's {joined.height:,} {self.about}.")
        dataset = replace(split.dataset, **{self.about: joined})  # with the same fingerprint
        return replace(split, dataset=dataset, warnings=[*split.warnings, self._sentence(n_texts, joined.height)])

    def _sentence(self, n_texts: int, n: int) -> str:
        said = f"{n_texts:,} of {n:,} {self.about} have a text by {self.provenance.get('model', 'an unknown model')}"
        if self.provenance.get(READ) == TRAIN:
            said += "; it read all train interactions, so it knows the positives that the model is trained on"
        return said


def read_written(path: Path) -> WrittenTexts:
    """The texts of a parquet file, and their provenance.

    Raises:
        ConfigError: If the file or its provenance is missing or malformed, or they do not belong together.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(f"{KEY}: {path} cannot be read ({error.strerror}); recsys write makes such a file.") from None
    beside = provenance_file(path)
    changed_at = beside.stat().st_mtime_ns if beside.is_file() else 0
    return _read(path, (status.st_mtime_ns, status.st_size, changed_at))


@lru_cache(maxsize=8)
def _read(path: Path, state: tuple[int, ...]) -> WrittenTexts:  # noqa: ARG001 (a changed file is another entry)
    provenance = read_provenance(path)
    if provenance is None:
        raise ConfigError(
            f"{KEY}: {path} has no {provenance_file(path).name} beside it, so which interactions its texts read is "
            "unknown; expected a file that recsys write made."
        )
    about = str(provenance.get(ABOUT))
    if about not in ID_COLUMNS:
        raise ConfigError(f"{KEY}: {provenance_file(path)} has about: {about}; expected items or users.")
    try:
        table = pl.read_parquet(path, columns=[ID_COLUMNS[about], WRITTEN])
        table = table.select(pl.col(ID_COLUMNS[about]).cast(pl.String), pl.col(WRITTEN).cast(pl.String))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ConfigError(f"{KEY}: {path} has no columns {ID_COLUMNS[about]} and {WRITTEN} ({error}).") from error
    if table[ID_COLUMNS[about]].is_duplicated().any():
        raise ConfigError(f"{KEY}: {path} has an id in {ID_COLUMNS[about]} more than once; expected each once.")
    found = texts_hash(table)
    if found != provenance.get(SHA256):
        raise ConfigError(
            f"{KEY}: the texts of {path} have the SHA-256 {found}, and {provenance_file(path).name} is about "
            f"{provenance.get(SHA256)}, so which interactions they read is unknown; write the texts again."
        )
    return WrittenTexts(path, about, table, provenance, found)


def texts_hash(table: pl.DataFrame) -> str:
    """A SHA-256 of ids and texts."""
    return frame_hash(table)


def read_all(written: str | Sequence[str] | None) -> list[WrittenTexts]:
    """The files of the configuration's key `written`: none, one, or one about items and one about users.

    Raises:
        ConfigError: As `read_written` does, or if two are about the same.
    """
    paths = [] if written is None else [written] if isinstance(written, str) else list(written)
    if not all(isinstance(path, str) and path for path in paths):
        raise ConfigError(f"{KEY} is {written!r}; expected a parquet file of recsys write, a list of them, or null.")
    found = [read_written(Path(path).expanduser()) for path in paths]
    if len({one.about for one in found}) < len(found):
        raise ConfigError(f"{KEY} has two files about {found[0].about}; expected at most one about items and users.")
    return found


def joint_hash(found: Sequence[WrittenTexts]) -> str:
    """A hash of the content and provenance of files, for caches; empty for none."""
    parts = [f"{one.about} {one.sha256} {one.provenance}" for one in found]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest() if parts else ""
