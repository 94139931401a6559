"""Execution of a transformer: in float32 or int8, with or without compilation."""

from __future__ import annotations

import os
import shutil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.schema import ConfigError

FLOAT32, INT8 = "float32", "int8"
N_COMPARED, N_NEIGHBOURS = 256, 10  # texts whose vectors are compared, and neighbours of each
ROUNDING = 1e-4  # of the largest value: largest difference that compiling may make


def check_execution(precision: str, compile: bool) -> None:
    """Check that a transformer can be run with these settings.

    Raises:
        ConfigError: If a value is unknown, the values cannot be combined, or there is no compiler.
    """
    if precision not in (FLOAT32, INT8):
        raise ConfigError(
            f"encoder.precision is {precision!r}; expected {FLOAT32} or {INT8} (bfloat16 is tens of times slower on "
            "processors without it, and is not offered)."
        )
    if not isinstance(compile, bool):
        raise ConfigError(f"encoder.compile is {compile!r}; expected true or false.")
    if compile and precision == INT8:
        raise ConfigError("encoder.compile=true is for encoder.precision=float32; int8 products are not compiled.")
    if compile and not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++")):
        raise ConfigError(
            "encoder.compile=true needs a C++ compiler, and there is no g++ or clang++ on the path: install one, set "
            "the variable CXX to it, or use encoder.compile=false."
        )


def compiled(model: Any, ids: Any, mask: Any) -> Any:
    """The model compiled for batches of all sizes, after a check that its outputs are the same.

    Args:
        model: A model in evaluation mode.
        ids: (B, L) tokens to compare with, B and L above 1.
        mask: (B, L) which of them are real.

    Raises:
        ConfigError: If the model cannot be compiled, or compiling changes its outputs by more than rounding.
    """
    import torch

    made = torch.compile(model, dynamic=True)
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask).last_hidden_state
        try:
            found = made(input_ids=ids, attention_mask=mask).last_hidden_state
        except Exception as error:  # compilers raise many kinds of errors
            raise ConfigError(
                f"encoder.compile=true: {type(model).__name__} cannot be compiled here ({str(error)[:300]}); use "
                "encoder.compile=false."
            ) from error
    difference = float((found - expected)[mask.bool()].abs().max())
    if not difference <= ROUNDING * float(expected[mask.bool()].abs().max()):
        raise ConfigError(
            f"encoder.compile=true changes the states of {type(model).__name__} by up to {difference:.2g}, which is "
            "more than rounding; use encoder.compile=false."
        )
    return made


def likeness(vectors: NDArray[np.float32], reference: NDArray[np.float32]) -> dict[str, float]:
    """Similarity of vectors to reference vectors of the same texts, both (n, dim).

    Returns:
        `cosine_mean` and `cosine_min` of each text's two vectors, and `neighbours_kept`, the mean share of a text's ten
        nearest neighbours by cosine that are the same.

    Example:
        >>> likeness(np.eye(3, dtype=np.float32), 2 * np.eye(3, dtype=np.float32))["cosine_min"]
        1.0
    """
    mine, theirs = (
        each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (vectors, reference)
    )
    cosines = (mine * theirs).sum(axis=1)
    first, second = _neighbours(mine), _neighbours(theirs)
    kept = (first[:, :, None] == second[:, None, :]).any(axis=2)
    measured = {"cosine_mean": cosines.mean(), "cosine_min": cosines.min()}
    if kept.size:
        measured["neighbours_kept"] = kept.mean()
    return {name: float(value) for name, value in measured.items()}


def _neighbours(unit: NDArray[np.float32]) -> NDArray[np.int64]:
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, : min(N_NEIGHBOURS, len(unit) - 1)]
