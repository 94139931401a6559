"""A cache of vectors, keyed by everything that they depend on, so that texts are encoded once."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from recsys.encoders.base import Encoder
from recsys.language_models.cached_files import making
from recsys.schema import DataError
from recsys.support.custom_code.hashes import code_of_object
from recsys.support.whole_files import replacing

log = logging.getLogger(__name__)

VERSION = 1  # increased when an encoder's code changes the vectors of the same identity
VECTORS = "vectors"
HTML = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:amp|lt|gt|quot|apos|nbsp|#\d+);")  # a tag, or a character's name
Encoded = tuple[NDArray[np.float32], dict[str, Any]]


def encode_items(
    encoder: Encoder, texts: Sequence[str], train: NDArray[np.bool_], cache_dir: Path, item_ids: Sequence[str] = ()
) -> Encoded:
    """Vectors (n_items, dim) of all items, by an encoder that is fitted on the train items only.

    Args:
        encoder: An encoder that is not fitted yet.
        texts: Texts of all items.
        train: (n_items,) True for items with train interactions.
        cache_dir: Folder of cached vectors.
        item_ids: Raw ids of all items, for an encoder that reads them.

    Returns:
        The vectors, and a report: numbers of texts, of empty, repeated and truncated ones, of those with HTML, and of
        zero vectors, the encoder's identity, the seconds of the encoding, and whether the vectors came from the cache
        (`cached`).

    Raises:
        DataError: If the encoder does not return a float array with a row for each text, or vectors are not finite.
    """
    inputs = encoder.inputs(item_ids, texts)
    fitted_on = [each for each, chosen in zip(inputs, train, strict=True) if chosen]
    vectors, report = encode_texts(encoder, inputs, fitted_on, cache_dir)
    return vectors, {**report, **_counts(texts)}


def are_cached(encoder: Encoder, texts: Sequence[Any], train_texts: Sequence[Any], cache_dir: Path) -> bool:
    """Whether `encode_texts` would find the vectors; a damaged file counts as found."""
    return _path(encoder, list(dict.fromkeys(texts)), train_texts, cache_dir).exists()


def encode_texts(encoder: Encoder, texts: Sequence[Any], train_texts: Sequence[Any], cache_dir: Path) -> Encoded:
    """Vectors (len(texts), dim) of any texts, by an encoder that is fitted on `train_texts`, with the same report."""
    distinct = list(dict.fromkeys(texts))
    vectors, report = encode_distinct(encoder, distinct, train_texts, cache_dir)
    row = {text: place for place, text in enumerate(distinct)}
    vectors = vectors[[row[text] for text in texts]]
    n_zero = int((~vectors.any(axis=1)).sum()) if vectors.shape[1] else 0
    return vectors, {**_counts(texts), "n_zero": n_zero, **report}


def _counts(texts: Sequence[Any]) -> dict[str, int]:
    words = [text for text in texts if isinstance(text, str)]
    return {
        "n_texts": len(texts),
        "n_empty": sum(not text.strip() for text in words),
        "n_duplicate": len(texts) - len(set(texts)),
        "n_with_html": sum(HTML.search(text) is not None for text in words),
    }


def encode_distinct(encoder: Encoder, texts: Sequence[Any], train_texts: Sequence[Any], cache_dir: Path) -> Encoded:
    """Vectors (len(texts), dim) of distinct texts, from the cache or encoded now, with the report of their encoding."""
    path = _path(encoder, texts, train_texts, cache_dir)
    found = _read(path, len(texts)) if path.exists() else None  # without the lock: it may be read-only
    if found is not None:
        return found
    with making(path):
        found = _read(path, len(texts))
        if found is not None:
            return found
        vectors, report = _encode(encoder, texts, train_texts, cache_dir)
        _write(path, vectors, report)
    return vectors, {**report, "cached": False}


def _encode(encoder: Encoder, texts: Sequence[Any], train_texts: Sequence[Any], cache_dir: Path) -> Encoded:
    start = time.perf_counter()
    encoder.fit(train_texts, cache_dir)
    vectors = _checked(encoder, encoder.encode(texts), len(texts))
    measured = {"dim": int(vectors.shape[1]), "seconds": time.perf_counter() - start}
    return vectors, {**encoder.coverage(texts), **measured, "identity": encoder.identity()}


def _checked(encoder: Encoder, vectors: Any, n_texts: int) -> NDArray[np.float32]:
    name = type(encoder).__name__
    is_array = isinstance(vectors, np.ndarray)
    if not is_array or vectors.dtype.kind != "f" or vectors.ndim != 2 or len(vectors) != n_texts:
        found = f"an array {vectors.shape} of {vectors.dtype}" if is_array else f"a {type(vectors).__name__}"
        raise DataError(f"{name}: encode must return a float array (n_texts, dim), here ({n_texts}, dim); got {found}.")
    vectors = vectors.astype(np.float32, copy=False)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise DataError(f"{name}: encode gave vectors that are not finite for {(~finite).sum()} of {n_texts} texts.")
    return vectors


def _path(encoder: Encoder, texts: Sequence[Any], train_texts: Sequence[Any], cache_dir: Path) -> Path:
    return cache_dir / "features" / f"{_key(encoder, texts, train_texts)}.safetensors"


def _key(encoder: Encoder, texts: Sequence[Any], train_texts: Sequence[Any]) -> str:
    identity, code = encoder.identity(), code_of_object(encoder)
    content = [VERSION, identity, code] if code else [VERSION, identity]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for part in (texts, train_texts if identity.get("fitted") else ()):
        digest.update(hashlib.sha256(json.dumps(list(part)).encode()).digest())
    return digest.hexdigest()[:32]


def _read(path: Path, n_texts: int) -> Encoded | None:
    if not path.exists():
        return None
    try:
        with safe_open(path, "np") as file:
            vectors, metadata = file.get_tensor(VECTORS), file.metadata()
        report = json.loads(metadata["report"])
        is_whole = vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == n_texts
        if is_whole and _content_hash(vectors) == metadata["sha256"] and {"dim", "seconds"} <= report.keys():
            return vectors, {**report, "cached": True}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        log.debug("%s: %s", path, error)
    log.warning("%s is damaged: encoding its texts again.", path)
    return None


def _write(path: Path, vectors: NDArray[np.float32], report: dict[str, Any]) -> None:
    vectors = np.ascontiguousarray(vectors)
    with replacing(path) as unfinished:
        unfinished.write_bytes(
            save({VECTORS: vectors}, {"report": json.dumps(report), "sha256": _content_hash(vectors)})
        )


def _content_hash(vectors: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(vectors).data).hexdigest()
