"""Local servers of other projects, for the benchmark of `encoder=endpoint` and the tests with real servers.

A command has the fields {model}, a folder or file of weights, and {port}. The environment variables
RECSYS_EMBEDDING_SERVER and RECSYS_CHAT_SERVER hold commands of your own.

Example:
    RECSYS_CHAT_SERVER="llama-server --model {model} --port {port}" make test-all
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

EMBEDDING, CHAT = "RECSYS_EMBEDDING_SERVER", "RECSYS_CHAT_SERVER"
PATIENCE = 180  # seconds until a server answers
_INFINITY = (
    "{program} v2 --model-id {model} --served-model-name local --host 127.0.0.1 --port {port} --url-prefix /v1 "
    "--engine torch --device cpu --lengths-via-tokenize --no-model-warmup"
)
_LLAMA_SERVER = "{program} --model {model} --host 127.0.0.1 --port {port} --threads 1"
_XLLAMACPP = (  # the same server, from a wheel
    '{program} -c "import signal, xllamacpp; given = xllamacpp.CommonParams(); given.cpuparams.n_threads = 1; '
    "given.model.path, given.port = '{model}', {port}; server = xllamacpp.Server(given); signal.pause()\""
)


def embedding_command(program: str | None = None) -> str | None:
    """The command of RECSYS_EMBEDDING_SERVER, or else of infinity; None if neither is there.

    Args:
        program: Of infinity; None for the one on the PATH.
    """
    found = program or shutil.which("infinity_emb")
    return os.environ.get(EMBEDDING) or (found and _with_program(_INFINITY, found))


def chat_command() -> str | None:
    """The command of RECSYS_CHAT_SERVER, or else of llama.cpp's server or of xllamacpp; None if none is there."""
    if command := os.environ.get(CHAT):
        return command
    if found := shutil.which("llama-server"):
        return _with_program(_LLAMA_SERVER, found)
    return _with_program(_XLLAMACPP, sys.executable) if find_spec("xllamacpp") else None


@contextmanager
def running(command: str, model: Path) -> Iterator[str]:
    """The URL of a server, with its version, from when it answers until it is ended.

    Args:
        command: With the fields {model} and {port}.
        model: A folder or a file.

    Raises:
        RuntimeError: If it ends, or does not answer in `PATIENCE` seconds; with the end of its output.
    """
    port = _free_port()
    words = [word.format(model=model, port=port) for word in shlex.split(command)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)  # it has packages of its own
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(process, port, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()
            process.wait()


def served_model(url: str) -> str:
    """The name of the first model of a server."""
    with urllib.request.urlopen(f"{url}/models", timeout=10) as answer:
        return str(json.load(answer)["data"][0]["id"])


def _with_program(command: str, program: str) -> str:
    return command.replace("{program}", shlex.quote(program))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def _wait_for(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        if _answers(port):
            return
        time.sleep(0.2)
    log.seek(0)
    raise RuntimeError(f"The server {process.args!r} does not answer: {log.read()[-2000:].decode('utf-8', 'replace')}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", "/v1/models")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
