"""A client of any OpenAI-compatible server: repeated requests, a pace, and a key that no message shows."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from recsys.language_models.pace import Backoff, Pace, retry_after
from recsys.schema import ConfigError, RecsysError

_SHOWN = 300  # characters of a server's message
_RETRIED = (408, 409, 425, 429)  # and all from 500 on
_HOLDS_ALL = (429, 503)  # where one refusal is meant for all threads


Request = TypeVar("Request")
Answered = TypeVar("Answered")


class BadAnswer(Exception):
    """A wrong answer that another attempt may correct; the message names the fault."""


class EndpointError(RecsysError):
    """A server did not answer a request as expected; the message has its answer."""


class StoppedError(Exception):
    """A request was cancelled because another one failed."""


class _Failure(Exception):
    """An attempt that failed and may be repeated, after the seconds that the server asks for."""

    def __init__(self, reason: str, asked: float | None = None, holds_all: bool = False) -> None:
        super().__init__(reason)
        self.asked, self.holds_all = asked, holds_all


@dataclass
class HttpEndpoint(ABC, Generic[Request, Answered]):
    """A server; threads may share it.

    Attributes:
        url: URL with the version, as in http://localhost:8000/v1.
        model: Name of the model at the server.
        api_key_variable: The environment variable that holds the key; None sends no key.
        timeout: Seconds of silence after which an attempt has failed.
        backoff: Waiting times between attempts.
        pace: Limits the rate of all requests.
        n_concurrent: Number of requests at the same time, for any number of threads.
        stop: Ends the waiting of all threads.
        attempts: Number of attempts so far, by outcome.
        group: The configuration's node that asks for it, for messages.
        path: Path of the service after the version.
        gives: Name of the answers, for messages.
        keys: Configuration keys to check if the server rejects a request, for messages.
    """

    group: ClassVar[str]
    path: ClassVar[str]
    gives: ClassVar[str]
    keys: ClassVar[str]

    url: str
    model: str
    api_key_variable: str | None = None
    timeout: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)
    pace: Pace = field(default_factory=Pace)
    n_concurrent: int = 8
    stop: threading.Event = field(default_factory=threading.Event, repr=False)
    attempts: dict[str, int] = field(default_factory=lambda: {"answered": 0, "failed": 0}, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{self.group}.url is {self.url!r}; expected one such as http://localhost:8000/v1.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigError(
                f"{self.group}.url holds a user, a password or parameters; expected none of these. Put the key into an "
                f"environment variable, and name the variable in {self.group}.api_key_variable."
            )
        self._https, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = f"{parts.path.rstrip('/')}/{self.path}"
        self._own, self._lock = threading.local(), threading.Lock()
        self._slots = threading.BoundedSemaphore(self.n_concurrent)

    @abstractmethod
    def body(self, request: Request) -> bytes:
        """A request as JSON."""

    @abstractmethod
    def read(self, content: bytes, request: Request) -> Answered:
        """The answer of a server.

        Raises:
            BadAnswer: If it is malformed.
        """

    def described(self, request: Request) -> str:
        """A request in a message, such as "3 texts"."""
        return "a prompt"

    def ask(self, request: Request) -> Answered:
        """The answer to a request; failures that may pass are repeated.

        Raises:
            EndpointError: If the server refuses, or fails too often.
            ConfigError: If the variable of the key is not set.
            StoppedError: If `stop` is set while it waits.
        """
        reason = ""
        for attempt in range(self.backoff.max_attempts):
            try:
                answer = self._attempt(request)
            except _Failure as failure:
                reason = str(failure)
                self._count("failed")
                if attempt + 1 < self.backoff.max_attempts:
                    self._pause(failure, attempt)
            else:
                self._count("answered")
                return answer
        raise EndpointError(
            f"{self.url} gave no {self.gives} in {self.backoff.max_attempts} attempts; the last answer: {reason}. "
            f"Other {self.gives} are kept: the same command continues from there."
        )

    def _pause(self, failure: _Failure, attempt: int) -> None:
        if failure.asked is not None and failure.asked > self.backoff.max_wait:
            raise EndpointError(
                f"{self.url} asks to wait {failure.asked:.0f} s ({failure}), which is longer than "
                f"{self.group}.max_wait={self.backoff.max_wait:g}. The same command continues later."
            )
        seconds = self.backoff.wait(attempt) if failure.asked is None else failure.asked
        if failure.holds_all:
            self.pace.hold(seconds)
        else:
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        if self.stop.is_set() or (seconds > 0 and self.stop.wait(seconds)):
            raise StoppedError

    def _count(self, kind: str) -> None:
        with self._lock:
            self.attempts[kind] += 1

    def _attempt(self, request: Request) -> Answered:
        body = self.body(request)
        with self._slots:  # until the answer is here: it is read while another thread's request is under way
            self._wait(self.pace.reserve())
            status, headers, content = self._post(body)
        said = self._hidden(content[: 4 * _SHOWN].decode("utf-8", "replace"))[:_SHOWN].strip()
        if status == http.client.OK:
            try:
                return self.read(content, request)
            except BadAnswer as error:
                raise _Failure(f"{error}: {said}" if '"error"' in said else str(error)) from None
        reason = f"status {status}: {said}"
        if status in _RETRIED or status >= http.client.INTERNAL_SERVER_ERROR:
            raise _Failure(reason, retry_after(headers.get("Retry-After")), status in _HOLDS_ALL)
        raise EndpointError(f"{self.url} refuses {self.described(request)}: {reason}. {self._advice(status)}")

    def _advice(self, status: int) -> str:
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            return (
                f"The key is read from the variable named by {self.group}.api_key_variable ({self.api_key_variable})."
            )
        return f"Check {self.keys}."

    def _post(self, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and content of an answer, over this thread's connection."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self._authorization()}
        connection = self._connection()
        try:
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            kind = "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            raise _Failure(self._hidden(kind)) from None

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._own, "connection"):
            made: http.client.HTTPConnection
            if self._https:
                context = ssl.create_default_context()
                made = http.client.HTTPSConnection(self._host, self._port, timeout=self.timeout, context=context)
            else:
                made = http.client.HTTPConnection(self._host, self._port, timeout=self.timeout)
            self._own.connection = made
        connection: http.client.HTTPConnection = self._own.connection
        if connection.sock is not None and _is_closed(connection.sock):
            connection.close()  # the next request opens it again
        return connection

    def _authorization(self) -> dict[str, str]:
        key = self._key()
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    def _key(self) -> str | None:
        """The key, read anew for each request, so that no object holds it."""
        if self.api_key_variable is None:
            return None
        key = os.environ.get(self.api_key_variable, "").strip()
        if not key or not (key.isascii() and key.isprintable()):
            raise ConfigError(
                f"{self.group}.api_key_variable is {self.api_key_variable}: the environment variable of this name is "
                f"{'not a key of printable characters' if key else 'not set'}. Set it to the key, or use null."
            )
        return key

    def _hidden(self, text: str) -> str:
        key = self._key()
        return text if key is None else text.replace(key, "***")


def _is_closed(idle: socket.socket) -> bool:
    """Whether a server closed an idle connection, as uvicorn does after 5 s: there is something to read, its end."""
    return bool(wait([idle], timeout=0))
