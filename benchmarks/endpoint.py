"""Seconds of `encoder=endpoint` for 10,000 short texts, against a client that sends the same requests and does no more.

The other client has as many threads, each with a connection that stays open; it reads the bytes of an answer and throws
them away. Its texts per second are those of the server.

Example:
    python benchmarks/endpoint.py  # a model behind aiohttp, and a server with a fixed time
    python benchmarks/endpoint.py --server infinity --parts 10  # behind infinity, in an environment of its own
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import real_servers
from embedding_process import DIM, FIXED, KINDS, MODEL, SERVICE
from environments import INFINITY
from harness import Comparison, Seconds, median

from recsys.config.compose import build, compose
from recsys.encoders.endpoint import EndpointEncoder
from recsys.language_models.weights import MINILM, find_weights
from recsys.tracking import environment

SERVER = Path(__file__).parent / "embedding_process.py"
N_TEXTS, TINY, BATCH, THREADS = 10_000, 300, 64, 8
LEAST = 0.9  # of the server's own texts per second
FORMATS = ("base64", "float")
DEFAULT = FORMATS[0]
REAL = "infinity"
TITLES = {
    MODEL: "all-MiniLM-L6-v2 behind aiohttp",
    FIXED: f"a server with {SERVICE} s per request, {DIM} numbers",
    REAL: "all-MiniLM-L6-v2 behind infinity",
}
LETTERS = 60  # of each text


def main(argv: list[str] | None = None) -> None:
    """Time both clients with each server, print the tables and write the figures.

    Raises:
        SystemExit: If `encoder=endpoint` has less than `LEAST` of a server's texts per second with its default format.
    """
    arguments = _arguments(argv)
    shares = {kind: _compare(kind, arguments) for kind in arguments.server}
    low = {kind: share for kind, share in shares.items() if share < LEAST}
    if low and not arguments.tiny:
        raise SystemExit(f"encoder=endpoint has {low} of the servers' own throughput; expected {LEAST}.")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", nargs="+", choices=[*KINDS, REAL], default=list(KINDS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--parts", type=int, default=1, help="of the texts, by turns, so that other load meets both alike"
    )
    parser.add_argument("--tiny", action="store_true", help=f"{TINY} texts, once, to see that it runs")
    return parser.parse_args(argv)


def _compare(kind: str, arguments: argparse.Namespace) -> float:
    """The share of the server's own throughput."""
    texts = _texts(TINY if arguments.tiny else N_TEXTS)
    turns = [texts[part :: arguments.parts] for part in range(arguments.parts)]
    settings = {"texts": len(texts), "parts": len(turns), "batch_size": BATCH, "n_concurrent": THREADS}
    what = f"{len(texts):,} short texts through {TITLES[kind]}"
    rival, versions = "a client that only sends", environment.versions()
    if kind == REAL:
        versions |= {"server": os.environ.get(real_servers.EMBEDDING, INFINITY.package)}
    comparison = Comparison(f"endpoint-{kind}", what, settings, rival, versions=versions)
    with _real() if kind == REAL else _serving(kind) as port:
        _sent_only(port, texts[: 2 * BATCH], DEFAULT)  # a warm-up
        turns *= 1 if arguments.tiny else arguments.repeats
        ours, sent = iter(turns), iter(turns)
        comparison.run(
            len(turns), lambda: _timed(_encoded, port, next(ours)), lambda: _timed(_sent_only, port, next(sent))
        )
    for side, own in {"ours": comparison.ours, "server": comparison.rival}.items():
        rates = {f"{side} texts per second, {name}": round(len(turns[0]) / median(own, name)) for name in FORMATS}
        comparison.checks |= rates
    comparison.checks |= {f"share of the server, {name}": round(comparison.ratio(name), 3) for name in FORMATS}
    comparison.show()
    if not arguments.tiny:
        comparison.save()
    return comparison.ratio(DEFAULT)


def _texts(n: int) -> list[str]:
    """Different short texts: the beginnings of the embedded ones, numbered."""
    found = build("data", compose().data).read().texts
    return [f"{number} {found[number % len(found)][:LETTERS]}" for number in range(n)]


@contextmanager
def _serving(kind: str) -> Iterator[int]:
    """The port of a server in a process of its own."""
    process = subprocess.Popen([sys.executable, str(SERVER), kind], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@contextmanager
def _real() -> Iterator[int]:
    """The port of the server of RECSYS_EMBEDDING_SERVER, or of infinity."""
    own = None if os.environ.get(real_servers.EMBEDDING) else str(INFINITY.python().with_name("infinity_emb"))
    command = real_servers.embedding_command(own)
    assert command is not None
    with real_servers.running(command, find_weights(MINILM)) as url:
        yield int(url.removesuffix("/v1").rpartition(":")[2])


def _timed(client: Callable[[int, list[str], str], float], port: int, texts: list[str]) -> Seconds:
    return {name: client(port, texts, name) for name in FORMATS}


def _encoded(port: int, texts: list[str], encoding_format: str) -> float:
    """By `encoder=endpoint`, with an empty cache on disk."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{port}/v1"
        encoder = EndpointEncoder(url, "local", encoding_format=encoding_format, batch_size=BATCH, n_concurrent=THREADS)
        encoder.fit([], Path(folder))
        start = time.perf_counter()
        vectors = encoder.encode(texts)
        seconds = time.perf_counter() - start
        encoder.store.close()
    assert vectors.shape == (len(texts), DIM)
    return seconds


def _sent_only(port: int, texts: list[str], encoding_format: str) -> float:
    """By threads that post the same requests."""
    ordered = sorted(texts, key=len)
    batches = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
    common = {"model": "local", "encoding_format": encoding_format}
    bodies = [json.dumps({**common, "input": own}).encode() for own in batches]
    turns = [bodies[thread::THREADS] for thread in range(THREADS)]
    start = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda own: _post(port, own), turns))
    return time.perf_counter() - start


def _post(port: int, bodies: list[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in bodies:
        connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == http.client.OK, content[:200]
    connection.close()


if __name__ == "__main__":
    main()
