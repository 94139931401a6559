"""Vectors on disk by text, stored after each answer, so that no answered text is sent again after an interruption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recsys.language_models.keyed_store import KeyedStore, key_of


class TextStore(KeyedStore):
    """Vectors of one model by the content of texts; see `KeyedStore`."""

    table = "vectors"
    columns = ("vector BLOB NOT NULL", "tokens REAL")

    def add(self, texts: Sequence[str], vectors: NDArray[np.float32], tokens: int | None) -> None:
        """Store the vectors (n, dim) of texts, each with an equal share of the tokens that the server counted."""
        share = None if tokens is None else tokens / len(texts)
        pairs = zip(texts, vectors, strict=True)
        self.put([(key_of(text), vector.astype("<f4").tobytes(), share) for text, vector in pairs])

    def find(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors (dim,) of those texts that are stored."""
        by_key = {key_of(text): text for text in texts}
        return {by_key[key]: np.frombuffer(vector, "<f4") for key, vector, _ in self.rows(list(by_key))}

    def tokens(self, texts: Sequence[str]) -> int | None:
        """Total tokens of those texts that are stored; None if the server did not report them."""
        found = [tokens for _, _, tokens in self.rows(list({key_of(text) for text in texts}))]
        known = [count for count in found if count is not None]
        return round(sum(known)) if len(known) == len(found) else None
