"""Texts per second of `encoder=bert` against `SentenceTransformer.encode` at its defaults, with the same weights.

Example:
    python benchmarks/encode.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from harness import Comparison, Seconds, median
from numpy.typing import NDArray

from recsys.config import build, compose
from recsys.tracking import environment

Encode = Callable[[list[str]], NDArray[np.float32]]
RIVAL = "sentence-transformers"
TASK = "all texts"
TOLERANCE = 1e-5
TINY = 200  # texts


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print its table and write its figures.

    Raises:
        SystemExit: If the two sides' vectors differ by more than `TOLERANCE`.
    """
    arguments = _arguments(argv)
    texts = build("data", compose().data).read().texts[: TINY if arguments.tiny else None]
    contenders = {"ours": _ours(), RIVAL: _sentence_transformers()}
    vectors = {name: encode(texts[:TINY]) for name, encode in contenders.items()}  # a warm-up too
    comparison = Comparison(
        name="encode",
        what=f"{len(texts):,} MovieLens texts through all-MiniLM-L6-v2",
        settings={"texts": len(texts), "precision": "float32"},
        rival_name=RIVAL,
        versions={**environment.versions(), RIVAL: version(RIVAL)},
    )
    comparison.run(
        1 if arguments.tiny else arguments.repeats,
        lambda: _timed("ours", contenders, texts, vectors),
        lambda: _timed(RIVAL, contenders, texts, vectors),
    )
    comparison.checks = _checks(comparison, len(texts), vectors)
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


def _ours() -> Encode:
    import torch

    torch.set_num_threads(1)
    encoder = build("encoder", compose(["encoder=bert", "encoder.device=cpu"]).encoder)
    with tempfile.TemporaryDirectory() as cache:
        encoder.fit([], Path(cache))
    return encoder.encode


def _sentence_transformers() -> Encode:
    from sentence_transformers import SentenceTransformer

    from recsys.encoders.weights import MINILM, find_weights

    return SentenceTransformer(str(find_weights(MINILM)), device="cpu").encode


def _timed(name: str, contenders: dict[str, Encode], texts: list[str], vectors: dict[str, NDArray]) -> Seconds:
    start = time.perf_counter()
    vectors[name] = contenders[name](texts)
    return {TASK: time.perf_counter() - start}


def _checks(comparison: Comparison, n_texts: int, vectors: dict[str, NDArray]) -> dict[str, float]:
    ours, rival = vectors.values()
    sides = {"ours": comparison.ours, RIVAL: comparison.rival}
    return {
        **{f"{name} texts per second": round(n_texts / median(seconds, TASK), 1) for name, seconds in sides.items()},
        "largest difference": float(np.abs(ours - rival).max()),
    }


if __name__ == "__main__":
    main()
