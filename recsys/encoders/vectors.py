"""Precomputed vectors of any model or modality (text, image, audio), by raw item id."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.encoders.vector_files import VectorTable, provenance_of, read_vectors
from recsys.language_models.cached_files import sha256
from recsys.schema import ConfigError, DataError

MISSING = ERROR, DROP, MEAN = "error", "drop", "mean"


class VectorsEncoder(Encoder):
    """Looks each item up by its id; the item's text is not read.

    The content of the files and the provenance (see `provenance_of`) are part of the identity.

    Args:
        path: A file of vectors; see `read_vectors` for its formats.
        ids: A file of the ids of its rows; None if `path` has them.
        missing: Treatment of items without a vector. `error` raises an error; `drop` removes them and their
            interactions before the data is split; `mean` gives them the mean vector of the train items.
        normalize: Whether vectors are scaled to length 1.

    Raises:
        ConfigError: If `missing` is unknown; from other methods, if a file is missing.
        DataError: From `fit` and `encode`, if items have no vector.
    """

    def __init__(self, path: str, ids: str | None = None, missing: str = ERROR, normalize: bool = False) -> None:
        if missing not in MISSING:
            raise ConfigError(f"encoder.missing is {missing!r}; expected one of {', '.join(MISSING)}.")
        self.path, self.ids = Path(path).expanduser(), None if ids is None else Path(ids).expanduser()
        self.missing, self.normalize = missing, normalize

    def inputs(self, item_ids: Sequence[str | None], texts: Sequence[str]) -> Sequence[Any]:
        if len(item_ids) != len(texts) or any(each is None for each in item_ids):
            raise ConfigError(
                "encoder=vectors reads item ids and cannot encode texts: use encoder=bert or another text encoder."
            )
        return list(item_ids)

    def keeps(self, item_ids: Sequence[str]) -> NDArray[np.bool_] | None:
        if self.missing != DROP:
            return None
        is_known = self._rows(item_ids) >= 0
        self._check_any(is_known, len(item_ids), "items")
        return is_known

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:
        rows = self._rows(texts)
        known = self.table.vectors[rows[rows >= 0]]
        self._check_any(rows >= 0, len(texts), "train items")
        self.mean = known.mean(axis=0, dtype=np.float64) if len(known) else np.zeros(self.table.vectors.shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = self._rows(texts)
        absent = np.flatnonzero(rows < 0)
        if len(absent) and self.missing != MEAN:
            raise DataError(
                f"{self.path} has no vector for {len(absent):,} of {len(texts):,} items, such as {texts[absent[0]]!r}: "
                "add them, or set encoder.missing=drop or mean."
            )
        vectors = self.table.vectors[rows]
        vectors[absent] = self.mean
        if not self.normalize:
            return vectors
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def identity(self) -> dict[str, Any]:
        content = dict(zip(("sha256", "ids_sha256"), self._hashes(), strict=True))
        settings = {"missing": self.missing, "normalize": self.normalize, "fitted": self.missing == MEAN}
        return {"encoder": "vectors", **content, **settings, "provenance": provenance_of(self.path)}

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        counts = {"n_missing": int((self._rows(texts) < 0).sum()), "n_in_file": len(self.table.ids)}
        return {**counts, "provenance": provenance_of(self.path)}

    def _check_any(self, is_known: NDArray[np.bool_], n: int, kind: str) -> None:
        if n and not is_known.any():
            found, wanted = self.table.ids[0], f"any of {n:,} {kind}"
            raise DataError(f"{self.path} has no vector for {wanted}: are its ids, such as {found!r}, raw item ids?")

    @property
    def table(self) -> VectorTable:
        """The files' content, read once in a process."""
        return _table(self.path, self.ids, *self._hashes())

    def _hashes(self) -> tuple[str | None, str | None]:
        """Hashes of the content of both files."""
        for key, path in (("path", self.path), ("ids", self.ids)):
            if path is not None and not path.is_file():
                raise ConfigError(f"encoder.{key} is {str(path)!r}; there is no file {path.absolute()}.")
        return sha256(self.path), None if self.ids is None else sha256(self.ids)

    def _rows(self, item_ids: Sequence[str]) -> NDArray[np.int64]:
        """(n,) the row of each item in the file, −1 if there is none."""
        places = self.table.places
        return np.array([places.get(each, -1) for each in item_ids], dtype=np.int64)


@lru_cache(maxsize=4)
def _table(path: Path, ids: Path | None, *content: str | None) -> VectorTable:  # noqa: ARG001 (other content is another table)
    return read_vectors(path, ids)
