"""Memory of this process: measuring its peak, reusing the memory of freed tensors, and freeing ended runs."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of glibc's mallopt
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65_536}
_CLEAR_REFS, _STATUS, _STATM = (Path(f"/proc/self/{name}") for name in ("clear_refs", "status", "statm"))
KEEPING = "RECSYS_KEEP_FREED_MEMORY"  # environment variable, which worker processes inherit
LEFT = 16_000_000  # bytes of ended runs that start a garbage collection
_lowest = {"held": 0}  # the fewest bytes that were held since the last garbage collection


def reset_peak() -> None:
    """Start a new measurement; if the system cannot reset its peak, later values cover the whole process."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return


def peak_mb() -> float:
    """Peak resident memory in MB (10⁶ bytes) since `reset_peak`."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB on Linux, bytes on macOS
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


@contextmanager
def settings_of_glibc_allowed() -> Iterator[None]:
    """Within the block, this process and its workers may change glibc's settings, which hold for the whole process.

    The command line uses this, since it owns its process. A process that imports the package as a library keeps its
    settings, unless its environment has RECSYS_KEEP_FREED_MEMORY=1.
    """
    before = os.environ.get(KEEPING)
    os.environ.setdefault(KEEPING, "1")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(KEEPING, None)


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within the block, glibc reuses the memory of freed tensors; at the end it returns it to the system.

    By default glibc returns each large block at once, and Linux fills it with zeros on the next use. This takes a fifth
    to a third of the time of an epoch whose steps score a whole catalogue. Nothing changes if the process may not
    change the settings (see `settings_of_glibc_allowed`), with another C library, or if the environment has settings
    of glibc (`MALLOC_…`).
    """
    is_allowed = os.environ.get(KEEPING) == "1"
    libc = ctypes.CDLL(None) if is_allowed and sys.platform == "linux" else None
    chosen_by_user = any(name.startswith("MALLOC_") for name in os.environ)
    if chosen_by_user or not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        yield
        return
    assert libc is not None
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        for parameter, value in _DEFAULTS.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)


def free_what_is_left() -> None:
    """Free the models of ended runs, in a process that makes many runs.

    A model and its trainer refer to each other, so that only the garbage collector frees them. Python starts it by the
    number of objects, not by the size of tensors. A collection takes as long as a small run, so it is only made when
    ended runs hold at least LEFT bytes.
    """
    held = _held()
    if held is None or held - min(held, _lowest["held"]) >= LEFT:
        gc.collect()
        held = _lowest["held"] = _held() or 0
    _lowest["held"] = min(held, _lowest["held"])


def _held() -> int | None:
    """Bytes that the process and its tensors on GPUs hold now; None if the system does not report it."""
    if not _STATM.exists():
        return None
    resident = int(_STATM.read_text().split()[1]) * resource.getpagesize()
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return resident
    return resident + sum(torch.cuda.memory_allocated(device) for device in range(torch.cuda.device_count()))
