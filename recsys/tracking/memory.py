"""Peak memory of a stretch of work in this process, and freeing what it left."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

_CLEAR_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def reset_peak() -> None:
    """Start a new measurement; where the system cannot reset its mark, the peak stays that of the whole process."""
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


def free_what_is_left() -> None:
    """Free the model of a run that has ended, for a process that makes many.

    A model and its trainer hold each other, so that only the garbage collector frees them, which large tensors do not
    call: it counts objects. What survives is not looked at again, so that this takes some milliseconds from the second
    call on.
    """
    gc.collect()
    gc.freeze()
