"""A cache of parsed data sets as parquet, keyed by the content of their raw files."""

from __future__ import annotations

import hashlib
import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from recsys.data.dataset import Dataset
from recsys.data.sources.base import Source
from recsys.support.custom_code.hashes import code_of_object
from recsys.support.disk import temporary_folder
from recsys.support.whole_files import CACHE, writing

log = logging.getLogger(__name__)

VERSION = 3  # raised when a parser reads the same files differently
MANIFEST = "manifest.json"
FRAMES = ("interactions", "items", "users", "impressions", "low_rated")


def load_dataset(source: Source, cache_dir: Path) -> Dataset:
    """The data set of a source: from the cache if it is there and undamaged, else read and then cached.

    Raises:
        DataError: If the raw files are malformed.
        StoreError: If the cache cannot be written.
    """
    folder = entry_folder(source, cache_dir)
    found = _read(folder)
    if found is not None:
        return found
    dataset = source.read()
    _write(dataset, folder)
    return dataset


def cached_fingerprint(source: Source, cache_dir: Path) -> str | None:
    """The fingerprint of a source's data set if it is in the cache, else None; reads no data."""
    manifest = _manifest(entry_folder(source, cache_dir))
    return None if manifest is None else manifest["fingerprint"]


def entry_folder(source: Source, cache_dir: Path) -> Path:
    """The cache folder of a source's data set; it depends on the source's files, parameters and code."""
    hashes = [_file_hash(path, *_state(path)) for path in source.files()]
    code = code_of_object(source)
    content = [VERSION, source.identity(), hashes, code] if code else [VERSION, source.identity(), hashes]
    return cache_dir / "data" / hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _state(path: Path) -> tuple[int, int, int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


@lru_cache(maxsize=256)
def _file_hash(path: Path, *state: int) -> str:  # noqa: ARG001 (a changed file is another entry)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        manifest = None
    if _is_manifest(manifest):
        return manifest
    _warn(folder)
    return None


def _is_manifest(content: Any) -> bool:
    kinds = {"name": str, "fingerprint": str, "dropped": dict, "frames": list}
    return isinstance(content, dict) and all(isinstance(content.get(key), kind) for key, kind in kinds.items())


def _read(folder: Path) -> Dataset | None:
    manifest = _manifest(folder)
    if manifest is None:
        return None
    try:
        files = {name: folder / f"{name}.parquet" for name in manifest["frames"]}
        frames: dict[str, Any] = {name: pl.read_parquet(file, glob=False) for name, file in files.items()}
        dataset = Dataset(name=manifest["name"], dropped=manifest["dropped"], **frames)
        if dataset.fingerprint == manifest["fingerprint"]:
            return dataset
    except (OSError, pl.exceptions.PolarsError, TypeError, ValueError, KeyError, AttributeError) as error:
        log.debug("%s: %s", folder, error)
    _warn(folder)
    return None


def _warn(folder: Path) -> None:
    log.warning("%s is damaged: the raw data is read again.", folder)


def _write(dataset: Dataset, folder: Path) -> None:
    with writing(folder, CACHE):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with writing(folder, CACHE), temporary_folder(folder.parent) as workshop:
        entry = workshop / "entry"
        _write_entry(dataset, entry)
        if folder.exists() and _read(folder) is None:
            _move(folder, workshop / "damaged")
        _move(entry, folder)


def _write_entry(dataset: Dataset, folder: Path) -> None:
    folder.mkdir()
    frames = {name: frame for name in FRAMES if (frame := getattr(dataset, name)) is not None}
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    about = {"name": dataset.name, "fingerprint": dataset.fingerprint, "dropped": dataset.dropped}
    (folder / MANIFEST).write_text(json.dumps(about | {"frames": list(frames)}))


def _move(source: Path, target: Path) -> None:
    """Move a folder, unless another process has just put the same content there or taken it away."""
    try:
        source.rename(target)
    except OSError:
        if not target.exists() and source.exists():
            raise
