"""Texts per second of `encoder=bert` against `SentenceTransformer.encode` at its defaults, with the same weights.

    python benchmarks/encode.py
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

for _threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"

import numpy as np
from harness import Comparison, Seconds, versions
from numpy.typing import NDArray

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
TOLERANCE = 1e-5
TINY = 64  # texts
