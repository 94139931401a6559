"""A client of any OpenAI-compatible /v1/embeddings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from recsys.language_models.embedding_answers import EmbeddingAnswer, read_answer
from recsys.language_models.http_endpoint import HttpEndpoint


@dataclass
class EmbeddingEndpoint(HttpEndpoint[Sequence[str], EmbeddingAnswer]):
    """A server that gives vectors of texts; see `HttpEndpoint`.

    Attributes:
        dimensions: Requested width of the vectors; None for the model's own.
        encoding_format: "base64" or "float"; an answer in the other format is read, too.
    """

    dimensions: int | None = None
    encoding_format: str = "base64"

    group: ClassVar[str] = "encoder"
    path: ClassVar[str] = "embeddings"
    gives: ClassVar[str] = "vectors"
    keys: ClassVar[str] = (
        "encoder.url, encoder.model, encoder.dimensions, encoder.batch_size if the server takes fewer texts at a time, "
        "encoder.max_chars if texts are too long, and encoder.encoding_format=float if the server has no base64"
    )

    def body(self, request: Sequence[str]) -> bytes:
        body: dict[str, Any] = {"model": self.model, "input": list(request), "encoding_format": self.encoding_format}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        return json.dumps(body).encode()

    def described(self, request: Sequence[str]) -> str:
        return f"{len(request)} texts"

    def read(self, content: bytes, request: Sequence[str]) -> EmbeddingAnswer:
        return read_answer(content, len(request))
