"""Frozen random vectors: the control for effects of text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.support.number_checks import check_whole


class RandomEncoder(Encoder):
    """A standard normal vector for each text, drawn by a seed and the text's hash.

    The vectors distinguish items without information about them, so a text encoder's gain over them is due to the
    content of the texts. Equal texts have equal vectors, as with every encoder.

    Args:
        dim: Width of the vectors.
        seed: Seed of the vectors.

    Raises:
        ConfigError: If `dim` is not positive.
    """

    def __init__(self, dim: int = 384, seed: int = 0) -> None:
        check_whole("encoder.dim", dim, 1)
        self.dim, self.seed = dim, seed

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            key = hashlib.blake2b(text.encode(), digest_size=16, key=str(self.seed).encode()).digest()
            np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little"))).standard_normal(
                dtype=np.float32, out=vectors[row]
            )
        return vectors

    def identity(self) -> dict[str, Any]:
        return {"encoder": "random", "dim": self.dim, "seed": self.seed}
