"""An encoder of a user's package, which tests register."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder


class LetterCounts(Encoder):
    """How often each of the first letters of the alphabet is in a text."""

    def __init__(self, n_letters: int = 26) -> None:
        self.n_letters = n_letters

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        letters = "abcdefghijklmnopqrstuvwxyz"[: self.n_letters]
        counts = [[text.lower().count(letter) for letter in letters] for text in texts]
        return np.array(counts, np.float32).reshape(-1, self.n_letters)

    def identity(self) -> dict[str, Any]:
        return {"encoder": "letters of tests", "n_letters": self.n_letters}


def other() -> None:
    """A function of the same package, which is not registered."""
