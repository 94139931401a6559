"""No text encoder: models learn from IDs only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder


class NoneEncoder(Encoder):
    """Vectors of width 0."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(texts), 0), dtype=np.float32)

    def identity(self) -> dict[str, Any]:
        return {"encoder": "none"}
