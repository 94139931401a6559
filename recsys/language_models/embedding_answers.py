"""Checked answers of /v1/embeddings."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.language_models.http_endpoint import BadAnswer


@dataclass(frozen=True)
class EmbeddingAnswer:
    """The vectors of a request.

    Attributes:
        vectors: (n_texts, dim) float32, finite, in the order of the texts.
        tokens: Number of tokens by the server's count; None if it does not report it.
    """

    vectors: NDArray[np.float32]
    tokens: int | None


def read_answer(content: bytes, n_texts: int) -> EmbeddingAnswer:
    """The vectors of an answer.

    Raises:
        BadAnswer: If it is no JSON, has another number of vectors, an index twice or missing, or numbers that are not
            finite.

    Example:
        >>> answer = {"data": [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]}
        >>> read_answer(json.dumps(answer).encode(), 2).vectors.tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    try:
        body = json.loads(content)
        entries = body["data"]
        rows = [_numbers(entry["embedding"]) for entry in entries]
        order = [entry.get("index", 0 if n_texts == 1 else None) for entry in entries]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadAnswer(f"it is malformed ({type(error).__name__})") from error
    if len(rows) != n_texts:
        raise BadAnswer(f"it has {len(rows)} vectors for {n_texts} texts")
    if None in order:
        raise BadAnswer("its vectors have no index, so their order is unknown: set encoder.batch_size=1")
    if any(type(place) is not int for place in order) or sorted(order) != list(range(n_texts)):
        raise BadAnswer("its indices are not 0 to the number of texts, each once")
    if len({row.shape for row in rows}) > 1 or rows[0].ndim != 1 or not len(rows[0]):
        raise BadAnswer("its vectors are not of one length")
    vectors = np.empty((n_texts, len(rows[0])), dtype=np.float32)
    vectors[order] = rows
    if not np.isfinite(vectors).all():
        raise BadAnswer("it has numbers that are not finite")
    return EmbeddingAnswer(vectors, _tokens(body.get("usage")))


def _numbers(embedding: Any) -> NDArray[np.float32]:
    """A vector, of a list or of base64."""
    if isinstance(embedding, str):
        try:
            return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
        except binascii.Error as error:
            raise ValueError("no base64") from error
    return np.asarray(embedding, dtype=np.float32)


def _tokens(usage: Any) -> int | None:
    found = usage.get("prompt_tokens", usage.get("total_tokens")) if isinstance(usage, dict) else None
    return found if type(found) is int and found >= 0 else None
