"""Vectors of any OpenAI-compatible server: OpenAI, vLLM, TEI, Ollama, llama.cpp, infinity."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.encoders.text_store import TextStore
from recsys.language_models.embedding_endpoint import EmbeddingEndpoint
from recsys.language_models.http_endpoint import EndpointError, StoppedError
from recsys.language_models.pace import Backoff, Pace
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

_THREADS = 2  # for each concurrent request
_PROBE = "text"  # encoded if the width of the vectors is not known otherwise


class EndpointEncoder(Encoder):
    """Sends texts to /v1/embeddings in concurrent requests.

    With `n_concurrent` above 1 there are two threads for each concurrent request, so that the server has work while an
    answer is read and written. Each thread writes its answer to disk before it sends more. So an interruption loses at
    most 2 x `n_concurrent` requests: only their texts are sent again.
    A blank text has a vector of zeros and is not sent.

    Args:
        url: The server's URL including the version, as in http://localhost:8000/v1.
        model: The model's name at the server.
        revision: Revision of the server's weights, if you know it; it is used in the identity only.
        dimensions: Width of vectors to request; None for the model's default.
        prefix: Added before each text, as some models need it ("passage: ").
        max_chars: Longer texts are truncated to so many characters, and counted; None sends whole texts.
        encoding_format: "base64", the default of OpenAI's client, or "float" for a server without it.
        batch_size: Texts of a request.
        n_concurrent: Number of concurrent requests.
        requests_per_minute: Maximum number of requests per minute; None for no limit.
        timeout: Seconds without an answer after which a request is repeated.
        max_attempts: Maximum number of attempts of a request.
        first_wait: Seconds before the second attempt; doubled before each further one.
        max_wait: Maximum number of seconds before an attempt; if the server asks for more, the run ends with an error.
        api_key_variable: The environment variable with the key; None sends no key.
        price_per_million_tokens: Price for the cost in the record; None leaves the cost out.

    Raises:
        ConfigError: If a value is impossible.
        EndpointError: From `encode`, if the server does not return vectors of the expected width.
    """

    def __init__(
        self,
        url: str,
        model: str,
        revision: str | None = None,
        dimensions: int | None = None,
        prefix: str = "",
        max_chars: int | None = None,
        encoding_format: str = "base64",
        batch_size: int = 64,
        n_concurrent: int = 8,
        requests_per_minute: float | None = None,
        timeout: float = 60.0,
        max_attempts: int = 6,
        first_wait: float = 0.5,
        max_wait: float = 60.0,
        api_key_variable: str | None = None,
        price_per_million_tokens: float | None = None,
    ) -> None:
        for key, size in {"dimensions": dimensions, "max_chars": max_chars}.items():
            check_whole(f"encoder.{key}", size, 1, optional=True)
        for key, count in {
            "batch_size": batch_size,
            "n_concurrent": n_concurrent,
            "max_attempts": max_attempts,
        }.items():
            check_whole(f"encoder.{key}", count, 1)
        check_number("encoder.timeout", timeout, above=0)
        check_number("encoder.max_wait", max_wait, above=0)
        check_number("encoder.requests_per_minute", requests_per_minute, above=0, optional=True)
        check_number("encoder.first_wait", first_wait, at_least=0)
        check_number("encoder.price_per_million_tokens", price_per_million_tokens, at_least=0, optional=True)
        if encoding_format not in ("float", "base64"):
            raise ConfigError(f"encoder.encoding_format is {encoding_format!r}; expected float or base64.")
        self.backoff, self.pace = Backoff(max_attempts, first_wait, max_wait), Pace(requests_per_minute)
        self.endpoint = EmbeddingEndpoint(
            url.rstrip("/"),
            model,
            api_key_variable,
            timeout,
            self.backoff,
            self.pace,
            n_concurrent,
            dimensions=dimensions,
            encoding_format=encoding_format,
        )
        self.revision, self.prefix, self.max_chars = revision, prefix, max_chars
        self.batch_size, self.n_concurrent, self.price = batch_size, n_concurrent, price_per_million_tokens
        self.dim = dimensions
        self._cache_dir: Path | None = None
        self._store: TextStore | None = None

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:
        """Store vectors in the folder from now on; nothing is fitted."""
        self._cache_dir, self._store = cache_dir, None

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        sent = [self._sent(text) for text in texts]
        distinct = list(dict.fromkeys(text for text in sent if text))
        found = self.store.find(distinct)
        missing = [text for text in distinct if text not in found]
        found |= self._ask(missing)
        if not found and self.dim is None:
            found |= self.store.find([_PROBE]) or self._ask([_PROBE])
        for vector in found.values():
            self._check_width(len(vector))
        vectors = np.zeros((len(texts), self.dim or 0), dtype=np.float32)
        rows = [row for row, text in enumerate(sent) if text]
        if rows:
            vectors[rows] = [found[sent[row]] for row in rows]
        return vectors

    def identity(self) -> dict[str, Any]:
        return {
            "encoder": "endpoint",
            "url": self.endpoint.url,
            "model": self.endpoint.model,
            "revision": self.revision,
            "dimensions": self.endpoint.dimensions,
            "prefix": self.prefix,
            "max_chars": self.max_chars,
        }

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        """Tokens of all texts by the server's count, their cost, and the requests of this process."""
        cut = {} if self.max_chars is None else {"n_cut": sum(len(text) > self.max_chars for text in texts)}
        tokens = self.store.tokens([sent for sent in map(self._sent, texts) if sent])
        attempts = {f"requests_{kind}": number for kind, number in self.endpoint.attempts.items()}
        spent: dict[str, Any] = {} if tokens is None else {"n_tokens": tokens}
        if tokens is not None and self.price is not None:
            spent["cost"] = tokens * self.price / 1e6
        return {**cut, **spent, **attempts}

    @property
    def store(self) -> TextStore:
        """The stored vectors; in memory unless `fit` has set a folder."""
        if self._store is None:
            name = hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()[:32]
            folder = self._cache_dir
            self._store = TextStore(None if folder is None else folder / "endpoint" / f"{name}.sqlite")
        return self._store

    def _sent(self, text: str) -> str:
        """The text as it is sent; empty for a blank text, which is not sent."""
        return f"{self.prefix}{text[: self.max_chars]}" if text[: self.max_chars].strip() else ""

    def _ask(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Vectors of texts that are not in the store; each answer is stored when it arrives."""
        ordered = sorted(texts, key=len)  # texts of similar length are the fastest to encode together
        batches = [ordered[start : start + self.batch_size] for start in range(0, len(ordered), self.batch_size)]
        found: dict[str, NDArray[np.float32]] = {}
        self.endpoint.stop = threading.Event()
        n_threads = 1 if self.n_concurrent == 1 else _THREADS * self.n_concurrent
        with ThreadPoolExecutor(max(1, min(n_threads, len(batches)))) as pool:
            requests = [pool.submit(self._ask_and_keep, batch) for batch in batches]
            try:
                for request in as_completed(requests):
                    found |= request.result()
            except BaseException as error:
                self.endpoint.stop.set()
                pool.shutdown(cancel_futures=True)  # after the requests under way, whose answers are kept
                reasons = [own for own in _errors(requests) if not isinstance(own, StoppedError)]
                if isinstance(error, StoppedError) and reasons:
                    raise reasons[0] from None
                raise
        return found

    def _ask_and_keep(self, batch: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors, after they are stored; an error stops all requests that have not begun."""
        try:
            answer = self.endpoint.ask(batch)
            self._check_width(answer.vectors.shape[1])
            self.store.add(batch, answer.vectors, answer.tokens)
        except BaseException:
            self.endpoint.stop.set()
            raise
        return dict(zip(batch, answer.vectors, strict=True))

    def _check_width(self, dim: int) -> None:
        if self.dim is None:
            self.dim = dim
        if dim != self.dim:
            expected = f"{self.dim} numbers"
            if self.endpoint.dimensions is not None:
                expected += f" (encoder.dimensions={self.dim}; a model that has no other widths needs null)"
            raise EndpointError(f"{self.endpoint.url} gave a vector of {dim} numbers; expected {expected}.")


def _errors(requests: Sequence[Future[Any]]) -> Iterator[BaseException]:
    for request in requests:
        if not request.cancelled() and (error := request.exception()) is not None:
            yield error
