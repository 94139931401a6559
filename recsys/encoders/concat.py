"""Concatenation of several encoders' vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.encoders.vector_cache import encode_texts
from recsys.schema import ConfigError


class ConcatEncoder(Encoder):
    """The concatenated vectors of several encoders, each scaled to length 1 so that none dominates the others.

    Args:
        parts: The encoders by name; None for a name is no part.
        normalize: Whether each part's vectors are scaled to length 1.

    Raises:
        ConfigError: If there are no parts.
    """

    def __init__(self, parts: Mapping[str, Encoder | None], normalize: bool = True) -> None:
        self.parts = {name: part for name, part in parts.items() if part is not None}
        self.normalize = normalize
        if not self.parts:
            raise ConfigError("encoder.parts is empty; expected encoders, as in +encoder@encoder.parts.tfidf=tfidf.")

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:
        self.train_texts, self.cache_dir = list(texts), cache_dir

    def inputs(self, item_ids: Sequence[str | None], texts: Sequence[str]) -> Sequence[Any]:
        """Texts; or tuples of each part's inputs if not all parts read texts."""
        read = [part.inputs(item_ids, texts) for part in self.parts.values()]
        return texts if all(each is texts for each in read) else list(zip(*read, strict=True))

    def keeps(self, item_ids: Sequence[str]) -> NDArray[np.bool_] | None:
        kept = [each for part in self.parts.values() if (each := part.keeps(item_ids)) is not None]
        return np.logical_and.reduce(kept) if kept else None

    def encode(self, texts: Sequence[Any]) -> NDArray[np.float32]:
        distinct = list(dict.fromkeys(texts))
        row = {text: place for place, text in enumerate(distinct)}
        # Each part through the cache, so that a run with only one of the encoders shares its vectors.
        read, fitted_on = self._by_part(distinct), self._by_part(self.train_texts)
        of_parts = zip(self.parts.values(), read, fitted_on, strict=True)
        made = [encode_texts(part, texts, train, self.cache_dir) for part, texts, train in of_parts]
        self.reports = dict(zip(self.parts, (report for _, report in made), strict=True))
        together = np.concatenate([self._scaled(vectors) for vectors, _ in made], axis=1)
        return together[[row[text] for text in texts]]

    def identity(self) -> dict[str, Any]:
        parts = [part.identity() for part in self.parts.values()]  # a list, since their order is that of the columns
        fitted = any(part.get("fitted") for part in parts)
        return {"encoder": "concat", "parts": parts, "normalize": self.normalize, "fitted": fitted}

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        return {"parts": self.reports}

    def _by_part(self, texts: Sequence[Any]) -> list[list[Any]]:
        if any(isinstance(text, tuple) for text in texts):
            return [list(of_part) for of_part in zip(*texts, strict=True)]
        return [list(texts)] * len(self.parts)

    def _scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.normalize:
            return vectors
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
