"""Several encoders side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.encoders.vector_cache import encode_distinct
from recsys.schema import ConfigError


class ConcatEncoder(Encoder):
    """The vectors of several encoders, one after the other, each scaled to length 1 so that none drowns the others.

    Args:
        parts: The encoders by name.
        normalize: Whether each part's vectors are scaled to length 1.

    Raises:
        ConfigError: If there are no parts.
    """

    def __init__(self, parts: Mapping[str, Encoder], normalize: bool = True) -> None:
        if not parts:
            raise ConfigError("encoder.parts is empty; expected encoders, as in +encoder@encoder.parts.tfidf=tfidf.")
        self.parts, self.normalize = dict(parts), normalize

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:
        self.train_texts, self.cache_dir = list(texts), cache_dir

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        distinct = list(dict.fromkeys(texts))
        row = {text: place for place, text in enumerate(distinct)}
        # Each part through the cache, so that a run with only one of the encoders shares its vectors.
        made = [encode_distinct(part, distinct, self.train_texts, self.cache_dir) for part in self.parts.values()]
        self.reports = dict(zip(self.parts, (report for _, report in made), strict=True))
        together = np.concatenate([self._scaled(vectors) for vectors, _ in made], axis=1)
        return together[[row[text] for text in texts]]

    def identity(self) -> dict[str, Any]:
        parts = [part.identity() for part in self.parts.values()]  # a list, since their order is that of the columns
        fitted = any(part.get("fitted") for part in parts)
        return {"encoder": "concat", "parts": parts, "normalize": self.normalize, "fitted": fitted}

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        return {"parts": self.reports}

    def _scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.normalize:
            return vectors
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
