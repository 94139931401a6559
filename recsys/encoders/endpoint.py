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

_THREADS = 2  # for each request under way
_PROBE = "text"  # encoded where nothing else tells the width of the vectors


class EndpointEncoder(Encoder):
    """Sends texts to /v1/embeddings in concurrent requests.

    With `n_concurrent` above 1 there are two threads for each request that may be under way, so that the server has
    work while an answer is read and written. Each writes its answer to disk before it sends more. So a process that
    is killed loses at most 2 x `n_concurrent` requests: their texts are sent again, and no others.
    A text without a letter has a vector of zeros and is not sent.

    Args:
        url: Of the server, up to and with the version, as in http://localhost:8000/v1.
        model: Its name at the server.
        revision: Which weights the server has, as you know it; for the identity alone.
        dimensions: Width that the server is asked for; None for the model's own.
        prefix: Before each text, as some models need it ("passage: ").
        max_chars: Longer texts are cut before they are sent, and counted; None sends them whole.
        encoding_format: "base64", the default of OpenAI's client, or "float" for a server that refuses it.
        batch_size: Texts of a request.
        n_concurrent: Requests at the same time.
        requests_per_minute: At most; None for no limit.
        timeout: Seconds of silence after which a request is repeated.
        max_attempts: Of a request.
        first_wait: Seconds before the second attempt; doubled before each further one.
        max_wait: Seconds before an attempt at most; a server that asks for more ends the run.
        api_key_variable: The environment variable that holds the key; None sends no key.
        price_per_million_tokens: For the cost in the record; None leaves the cost out.

    Raises:
        ConfigError: If a value is impossible.
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
        """Learn nothing; vectors are kept in the folder from now on."""
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
        """Tokens of all texts as the server counted them, their cost, and the requests that were made just now."""
        cut = {} if self.max_chars is None else {"n_cut": sum(len(text) > self.max_chars for text in texts)}
        tokens = self.store.tokens([sent for sent in map(self._sent, texts) if sent])
        attempts = {f"requests_{kind}": number for kind, number in self.endpoint.attempts.items()}
        spent: dict[str, Any] = {} if tokens is None else {"n_tokens": tokens}
        if tokens is not None and self.price is not None:
            spent["cost"] = tokens * self.price / 1e6
        return {**cut, **spent, **attempts}

    @property
    def store(self) -> TextStore:
        """The vectors that are there already; in memory where `fit` named no folder."""
        if self._store is None:
            name = hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()[:32]
            folder = self._cache_dir
            self._store = TextStore(None if folder is None else folder / "endpoint" / f"{name}.sqlite")
        return self._store

    def _sent(self, text: str) -> str:
        """What the server is given; nothing for a blank text."""
        return f"{self.prefix}{text[: self.max_chars]}" if text[: self.max_chars].strip() else ""

    def _ask(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Vectors of texts that are not in the store, put there answer by answer."""
        ordered = sorted(texts, key=len)  # texts of about one length are the fastest to encode together
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
        """The vectors, which are on disk before this thread sends more; an error ends requests that have not begun."""
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
