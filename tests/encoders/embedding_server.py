"""A small server for vectors and chats that fails in the ways that servers do, one way for each request in turn."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

DIM = 6
PATHS = ("/v1/embeddings", "/v1/chat/completions", "/v1/completions")


def vector_of(text: str, dim: int = DIM) -> list[float]:
    """Numbers that only the text decides."""
    digest = hashlib.sha256(text.encode()).digest()
    return [float(np.float32(byte / 255 - 0.5)) for byte in digest[:dim]]


def answer_to(body: dict[str, Any]) -> dict[str, Any]:
    rows = [vector_of(text, body.get("dimensions") or DIM) for text in body["input"]]
    if body.get("encoding_format") == "base64":
        rows = [base64.b64encode(np.array(row, dtype="<f4").tobytes()).decode() for row in rows]
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
    tokens = sum(len(text.split()) for text in body["input"])
    return {"object": "list", "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def completion_of(body: dict[str, Any]) -> dict[str, Any]:
    """The prompt itself, with an exclamation mark."""
    prompt = body["messages"][-1]["content"]
    usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 1}
    message = {"role": "assistant", "content": f"{prompt}!"}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": usage}


def labels_of(body: dict[str, Any], labels: dict[str, float]) -> dict[str, Any]:
    """The log-probabilities of the first token, as each of the two services gives them."""
    usage = {"prompt_tokens": len(prompt_of(body).split()), "completion_tokens": 1}
    if "prompt" in body:
        return {"choices": [{"text": "A", "logprobs": {"top_logprobs": [labels]}}], "usage": usage}
    listed = [{"token": token, "logprob": value, "bytes": None} for token, value in labels.items()]
    message = {"role": "assistant", "content": "A"}
    return {"choices": [{"message": message, "logprobs": {"content": [{"top_logprobs": listed}]}}], "usage": usage}


def prompt_of(body: dict[str, Any]) -> str:
    """The prompt of a request to either service."""
    return str(body["prompt"] if "prompt" in body else body["messages"][-1]["content"])


def as_numbers(answer: dict[str, Any]) -> dict[str, Any]:
    """As a server that does not know of base64 answers."""
    for entry in answer["data"]:
        if isinstance(entry["embedding"], str):
            entry["embedding"] = np.frombuffer(base64.b64decode(entry["embedding"]), "<f4").tolist()
    return answer


class Fault:
    """Something that goes wrong with one request: a status with headers, or a change of the answer."""

    def __init__(
        self,
        status: int = 200,
        headers: dict[str, str] | None = None,
        change: Callable[[dict[str, Any]], Any] | None = None,
        delay: float = 0.0,
        said: str = "",
    ) -> None:
        self.status, self.headers, self.change, self.delay, self.said = status, headers or {}, change, delay, said


class Server:
    """What is asked of the stub, and what it does.

    Attributes:
        faults: For the next requests, in this order.
        texts: How often each text was answered.
        requests: Bodies, with the header `authorization`.
        service: Seconds that each request takes.
        closes: Whether it closes a connection after each answer without saying so, as servers do with idle ones.
        most: Requests that were under way at the same time.
        labels: Log-probabilities of first tokens after a prompt.
    """

    def __init__(self) -> None:
        self.faults: list[Fault | None] = []
        self.texts: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.service = 0.0
        self.closes = False
        self.under_way = self.most = 0
        self.lock = threading.Lock()
        self.url = ""
        self.labels: Callable[[str], dict[str, float]] = lambda prompt: {" A": -0.5, "B": -1.5, "yes": -2.0, "no": -3.0}

    def take(self, body: dict[str, Any]) -> Fault | None:
        with self.lock:
            self.requests.append(body)
            self.times.append(time.monotonic())
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            return self.faults.pop(0) if self.faults else None

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        fault = self.take(body)
        time.sleep(self.service + (fault.delay if fault else 0.0))
        with self.lock:
            self.under_way -= 1
        if fault is not None and fault.status != 200:
            return fault.status, fault.headers, fault.said.encode()
        is_text = "messages" in body or "prompt" in body
        content: Any = self.content_of(body)
        if fault is not None and fault.change is not None:
            content = fault.change(content)
        with self.lock:
            self.texts.update([prompt_of(body)] if is_text else body["input"])
        return 200, {}, content if isinstance(content, bytes) else json.dumps(content).encode()

    def content_of(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("logprobs"):
            return labels_of(body, self.labels(prompt_of(body)))
        return completion_of(body) if "messages" in body else answer_to(body)


@contextmanager
def serving() -> Iterator[Server]:
    """A stub on a free port."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body["authorization"] = self.headers.get("Authorization")
            status, headers, content = server.answer(body) if self.path in PATHS else (404, {}, b"no")
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = self.close_connection or server.closes

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, TimeoutError):  # a client that gave up
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
