"""Files of precomputed vectors by raw item id: npy, parquet and safetensors, and the yaml of their provenance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.schema import ITEM_ID, ConfigError, DataError

VECTORS = "vectors"  # the tensor of a safetensors file, and the column of a parquet file
PROVENANCE = ("model", "revision", "made_from", "made_at")


@dataclass(frozen=True)
class VectorTable:
    """Vectors (n, dim) float32, and the raw id of each."""

    ids: list[str]
    vectors: NDArray[np.float32]

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each id."""
        return {raw: row for row, raw in enumerate(self.ids)}


def read_vectors(path: Path, ids: Path | None = None) -> VectorTable:
    """The vectors of a file.

    Args:
        path: `.npy`: an array (n, dim). `.parquet`: a column `item_id` and a column `vectors` of lists. `.safetensors`:
            a tensor `vectors` (n, dim) and, unless `ids` is given, a tensor `item_id` of integers or the metadata
            `item_id`, a JSON list.
        ids: A file with the raw ids in the order of the rows: `.npy`, or text with one id a line. `.npy` needs it.

    Raises:
        ConfigError: If the file is missing or of an unknown kind.
        DataError: If its content is malformed.
    """
    if not path.is_file():
        raise ConfigError(f"encoder.path is {str(path)!r}; there is no file {path.absolute()}.")
    read = _READERS.get(path.suffix)
    if read is None:
        raise ConfigError(f"encoder.path is {str(path)!r}; expected a file of {', '.join(_READERS)}.")
    own_ids, vectors = _readable(path, read)
    found = own_ids if ids is None else _ids_of(ids)
    if found is None:
        raise ConfigError(f"{path} has no item ids: give encoder.ids, a file with one id a line or a npy file.")
    return checked(found, vectors, str(path))


def checked(ids: Sequence[Any], vectors: NDArray[Any], name: str) -> VectorTable:
    """Vectors with their ids, after all checks.

    Raises:
        DataError: If shapes, types, values or ids are impossible; the message begins with `name`.
    """
    if vectors.ndim != 2 or 0 in vectors.shape or vectors.dtype.kind not in "fiu":
        raise DataError(f"{name}: found {vectors.dtype} of shape {vectors.shape}; expected numbers (n_items, dim).")
    if len(ids) != len(vectors):
        raise DataError(f"{name}: found {len(ids):,} ids for {len(vectors):,} vectors; expected one for each.")
    texts = [_text_of(raw, row, name) for row, raw in enumerate(ids)]
    if len(set(texts)) < len(texts):
        repeated = Counter(texts).most_common(1)[0][0]
        raise DataError(f"{name}: found the id {repeated!r} twice; expected each id once.")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(vectors, dtype=np.float32)
    wrong = np.flatnonzero(~np.isfinite(single).all(axis=1))
    if len(wrong):
        raise DataError(f"{name}: the vector of item {texts[wrong[0]]!r} has a number that is not finite in float32.")
    return VectorTable(texts, single)


def provenance_of(path: Path) -> dict[str, str] | None:
    """The provenance in the yaml of a vector file; None if there is no yaml.

    The yaml is named after the file, as in `vectors.npy.yaml`, and has the keys of `PROVENANCE`.

    Raises:
        DataError: If the yaml is malformed, or lacks a key.
    """
    import yaml

    beside = path.with_name(f"{path.name}.yaml")
    if not beside.is_file():
        return None
    try:
        content = yaml.safe_load(beside.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{beside} is no yaml: {' '.join(str(error).split())}.") from error
    return provenance(content, str(beside))


def provenance(content: Any, name: str) -> dict[str, str]:
    """The checked provenance, with all values as texts.

    Raises:
        DataError: If a key is missing, empty or unknown.
    """
    keys = set(content) if isinstance(content, Mapping) else set()
    if keys != set(PROVENANCE) or any(content[key] in (None, "") for key in keys):
        found = ", ".join(sorted(map(str, keys))) or type(content).__name__
        raise DataError(f"{name}: found {found}; expected a value for each of {', '.join(PROVENANCE)}.")
    return {key: str(content[key]) for key in PROVENANCE}


def _text_of(raw: Any, row: int, name: str) -> str:
    if isinstance(raw, str | int | np.integer) and not isinstance(raw, bool) and raw != "":
        return str(raw)
    raise DataError(f"{name}: row {row + 1}: found the id {raw!r}; expected a text or a whole number.")


def _readable(path: Path, read: Callable[[Path], Any]) -> Any:
    import polars as pl
    from safetensors import SafetensorError

    try:
        return read(path)
    except (OSError, ValueError, EOFError, TypeError, SafetensorError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be read as {path.suffix}: {' '.join(str(error).split())[:200]}.") from error


def _read_npy(path: Path) -> tuple[None, NDArray[Any]]:
    return None, np.load(path, allow_pickle=False)


def _read_parquet(path: Path) -> tuple[Sequence[Any], NDArray[Any]]:
    import polars as pl

    frame = pl.read_parquet(path)
    missing = [name for name in (ITEM_ID, VECTORS) if name not in frame.columns]
    if missing:
        raise DataError(f"{path}: found the columns {', '.join(frame.columns)}; expected {ITEM_ID} and {VECTORS}.")
    return frame[ITEM_ID].to_list(), stacked(frame[VECTORS].to_list(), str(path))


def _read_safetensors(path: Path) -> tuple[Sequence[Any] | None, NDArray[Any]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:  # numpy has no bfloat16
        names, metadata = set(file.keys()), file.metadata() or {}
        if VECTORS not in names:
            raise DataError(f"{path}: found the tensors {', '.join(sorted(names))}; expected {VECTORS}.")
        vectors = file.get_tensor(VECTORS)
        if vectors.is_floating_point() and vectors.itemsize < 4:
            vectors = vectors.float()
        ids = json.loads(metadata[ITEM_ID]) if ITEM_ID in metadata else None
        if not isinstance(ids, list | None):
            raise DataError(f"{path}: found the metadata {ITEM_ID}={str(ids)[:50]!r}; expected a JSON list of ids.")
        return (file.get_tensor(ITEM_ID).tolist() if ITEM_ID in names else ids), vectors.numpy()


def stacked(rows: Sequence[Any], name: str) -> NDArray[Any]:
    """Rows of equal length as an array (n, dim).

    Raises:
        DataError: If a row is no list, is empty, or has another length than the first.
    """
    widths = [len(row) if isinstance(row, list | tuple | np.ndarray) else -1 for row in rows]
    wrong = next((row for row, width in enumerate(widths) if width != widths[0] or width < 1), None)
    if wrong is not None:
        raise DataError(f"{name}: row {wrong + 1}: found no vector, or one of another length than in row 1.")
    return np.array([list(row) for row in rows], dtype=np.float64) if rows else np.zeros((0, 1))


def _ids_of(path: Path) -> Sequence[Any]:
    if not path.is_file():
        raise ConfigError(f"encoder.ids is {str(path)!r}; there is no file {path.absolute()}.")
    if path.suffix == ".npy":
        ids = _readable(path, lambda file: np.load(file, allow_pickle=False))
        if ids.ndim != 1 or ids.dtype.kind not in "iuU":
            raise DataError(f"{path}: found {ids.dtype} of shape {ids.shape}; expected texts or integers (n_items,).")
        return list(ids.tolist())
    return list(_readable(path, lambda file: file.read_text(encoding="utf-8-sig").rstrip("\r\n").splitlines()))


_READERS: dict[str, Callable[[Path], tuple[Sequence[Any] | None, NDArray[Any]]]] = {
    ".npy": _read_npy,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
}
