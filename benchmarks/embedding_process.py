"""A local server with /v1/embeddings in a process of its own; see endpoint.py.

`python embedding_process.py model` encodes with all-MiniLM-L6-v2 (sentence-transformers) behind aiohttp, one request at
a time. `python embedding_process.py fixed` answers each request after `SERVICE` seconds with one prepared answer, as a
server with a fast accelerator would.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

MODEL, FIXED = KINDS = ("model", "fixed")
SERVICE, DIM = 0.2, 384
Answer = Callable[[list[str], bool], Awaitable[bytes]]


def main(kind: str) -> None:
    """Serve on a free port, which is the first line of the output."""
    asyncio.run(_serve(_model() if kind == MODEL else _fixed))


async def _serve(answer: Answer) -> None:
    async def embeddings(request: web.Request) -> web.Response:
        body = await request.json()
        content = await answer(body["input"], body["encoding_format"] == "base64")
        return web.Response(body=content, content_type="application/json")

    application = web.Application(client_max_size=2**26)
    application.router.add_post("/v1/embeddings", embeddings)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def _fixed(texts: list[str], is_base64: bool) -> bytes:
    await asyncio.sleep(SERVICE)
    return _prepared(len(texts), is_base64)


@cache
def _prepared(n_texts: int, is_base64: bool) -> bytes:
    return _content(np.random.default_rng(0).normal(size=(n_texts, DIM)), is_base64)


def _model() -> Answer:
    import torch
    from sentence_transformers import SentenceTransformer

    from recsys.language_models.weights import MINILM, find_weights

    torch.set_num_threads(1)
    model = SentenceTransformer(str(find_weights(MINILM)), device="cpu")
    pool = ThreadPoolExecutor(1)

    def encoded(texts: list[str], is_base64: bool) -> bytes:
        return _content(model.encode(texts, batch_size=len(texts)), is_base64)

    async def answer(texts: list[str], is_base64: bool) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(pool, encoded, texts, is_base64)

    return answer


def _content(vectors: NDArray[np.floating], is_base64: bool) -> bytes:
    rows = vectors.astype("<f4")
    shown: list[Any] = [base64.b64encode(row.tobytes()).decode() for row in rows] if is_base64 else rows.tolist()
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(shown)]
    usage = {"prompt_tokens": len(rows), "total_tokens": len(rows)}
    return json.dumps({"object": "list", "data": data, "usage": usage}).encode()


if __name__ == "__main__":
    main(*sys.argv[1:])
