"""Parsed data sets, kept as parquet by the content of their raw files."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import polars as pl

from recsys.data.dataset import Dataset
from recsys.data.sources.base import Source

log = logging.getLogger(__name__)

VERSION = 1  # raised when a parser's code changes what it reads out of the same files
MANIFEST = "manifest.json"
FRAMES = ("interactions", "items", "users", "impressions")


def load_dataset(source: Source, cache_dir: Path) -> Dataset:
    """The data set of a source: its parsed form if that is kept, else read and then kept.

    Raises:
        DataError: If the raw files are malformed.
    """
    folder = _folder(source, cache_dir)
    found = _read(folder)
    if found is not None:
        return found
    dataset = source.read()
    _write(dataset, folder)
    return dataset


def cached_fingerprint(source: Source, cache_dir: Path) -> str | None:
    """The fingerprint of a source's data set if its parsed form is kept, else None; reads no data."""
    manifest = _manifest(_folder(source, cache_dir))
    return None if manifest is None else manifest["fingerprint"]


def _folder(source: Source, cache_dir: Path) -> Path:
    content = json.dumps([VERSION, source.identity(), [_file_hash(*_state(path)) for path in source.files()]], sort_keys=True)
    return cache_dir / "data" / hashlib.sha256(content.encode()).hexdigest()[:32]


def _state(path: Path) -> tuple[Path, int, int]:
    state = path.stat()
    return path, state.st_size, state.st_mtime_ns


@lru_cache(maxsize=256)
def _file_hash(path: Path, size: int, modified: int) -> str:  # noqa: ARG001 (a changed file is another entry)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _manifest(folder: Path) -> dict | None:
    try:
        return json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        log.warning("%s is damaged: reading the raw data again", folder)
        return None


def _read(folder: Path) -> Dataset | None:
    manifest = _manifest(folder)
    if manifest is None:
        return None
    try:
        frames = {name: pl.read_parquet(folder / f"{name}.parquet") for name in manifest["frames"]}
    except (OSError, pl.exceptions.PolarsError):
        log.warning("%s is damaged: reading the raw data again", folder)
        return None
    kept = {key: manifest[key] for key in ("name", "dropped", "fingerprint")}
    return Dataset(**kept, **frames)


def _write(dataset: Dataset, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
    frames = {name: frame for name in FRAMES if (frame := getattr(dataset, name)) is not None}
    for name, frame in frames.items():
        frame.write_parquet(unfinished / f"{name}.parquet")
    manifest = {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "dropped": dataset.dropped,
        "frames": list(frames),
    }
    (unfinished / MANIFEST).write_text(json.dumps(manifest))
    if folder.exists() and _read(folder) is None:
        shutil.rmtree(folder)
    try:
        unfinished.rename(folder)
    except OSError:  # another process was faster, with the same content
        shutil.rmtree(unfinished)
