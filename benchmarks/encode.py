"""Texts per second of `encoder=bert` against `SentenceTransformer.encode` at its defaults, with the same weights.

Beside it stand what the machine's matrix products alone would take for the texts' real tokens, and reading the vectors
from the cache.

Example:
    python benchmarks/encode.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from harness import Comparison, Seconds, median
from matrix_products import seconds_per_token
from numpy.typing import NDArray

from recsys.config.compose import build, compose
from recsys.encoders.transformer import TransformerEncoder
from recsys.encoders.vector_cache import encode_distinct
from recsys.tracking import environment

Encode = Callable[[list[str]], NDArray[np.float32]]
OURS, RIVAL = SIDES = ("ours", "sentence-transformers")
TASK = "all texts"
TOLERANCE = 1e-5
TINY = 200  # texts


@dataclass
class Work:
    """What both sides encode, with what they made of it, and seconds per token of the matrix products by themselves."""

    texts: list[str]
    encoder: TransformerEncoder
    rival: Encode
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    products: list[float] = field(default_factory=list)

    def encode(self, side: str, texts: list[str]) -> None:
        """Have a side make the vectors of texts."""
        self.vectors[side] = (self.encoder.encode if side == OURS else self.rival)(texts)


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print its table and write its figures.

    Raises:
        SystemExit: If the two sides' vectors differ by more than `TOLERANCE`.
    """
    arguments = _arguments(argv)
    texts = build("data", compose().data).read().texts[: TINY if arguments.tiny else None]
    work = Work(texts, _ours(), _sentence_transformers())
    for side in SIDES:  # a warm-up
        work.encode(side, texts[:TINY])
    comparison = Comparison(
        name="encode",
        what=f"{len(texts):,} MovieLens texts through all-MiniLM-L6-v2",
        settings={"texts": len(texts), "precision": "float32"},
        rival_name=RIVAL,
        versions={**environment.versions(), RIVAL: version(RIVAL)},
    )
    comparison.run(1 if arguments.tiny else arguments.repeats, lambda: _timed(OURS, work), lambda: _timed(RIVAL, work))
    comparison.checks = _checks(comparison, work)
    comparison.show()
    if not arguments.tiny:
        comparison.save()
    if comparison.checks["largest difference"] > TOLERANCE:
        raise SystemExit(f"The vectors differ by more than {TOLERANCE}: this compares different work.")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help=f"{TINY} texts, once, to see that it runs")
    return parser.parse_args(argv)


def _ours() -> TransformerEncoder:
    import torch

    torch.set_num_threads(1)
    encoder = build("encoder", compose(["encoder=bert", "encoder.device=cpu"]).encoder)
    with tempfile.TemporaryDirectory() as cache:
        encoder.fit([], Path(cache))
    return encoder


def _sentence_transformers() -> Encode:
    from sentence_transformers import SentenceTransformer

    from recsys.language_models.weights import MINILM, find_weights

    return SentenceTransformer(str(find_weights(MINILM)), device="cpu").encode


def _timed(side: str, work: Work) -> Seconds:
    if side == OURS:  # in every repeat, as other load on the machine changes it too
        work.products.append(seconds_per_token(work.encoder.model.config))
    start = time.perf_counter()
    work.encode(side, work.texts)
    return {TASK: time.perf_counter() - start}


def _checks(comparison: Comparison, work: Work) -> dict[str, float]:
    sides = {OURS: comparison.ours, RIVAL: comparison.rival}
    seconds = {side: median(repeats, TASK) for side, repeats in sides.items()}
    tokens = work.encoder.tokenizer(work.texts, truncation=True, max_length=work.encoder.max_length)["input_ids"]
    least = sum(map(len, tokens)) * statistics.median(work.products)
    return {
        **{f"{side} texts per second": round(len(work.texts) / taken, 1) for side, taken in seconds.items()},
        "largest difference": float(np.abs(work.vectors[OURS] - work.vectors[RIVAL]).max()),
        "real tokens": sum(map(len, tokens)),
        "seconds of the matrix products alone": round(least, 3),
        "share of what the matrix products allow": round(least / seconds[OURS], 3),
        "times as fast from the cache": round(seconds[OURS] / _seconds_from_cache(work), 1),
    }


def _seconds_from_cache(work: Work) -> float:
    with tempfile.TemporaryDirectory() as folder:
        texts = list(dict.fromkeys(work.texts))
        encode_distinct(work.encoder, texts, [], Path(folder))
        start = time.perf_counter()
        _, report = encode_distinct(work.encoder, texts, [], Path(folder))
        taken = time.perf_counter() - start
    assert report["cached"]
    return taken


if __name__ == "__main__":
    main()
