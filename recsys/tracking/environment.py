"""Environment of a run: versions, git state and machine, without heavy imports."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from recsys.support.checkout import git, is_checkout

PACKAGES = (
    "recsys",
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "transformers",
    "tokenizers",
    "safetensors",
    "scikit-learn",
    "hydra-core",
    "omegaconf",
    "numpy",
    "scipy",
    "polars",
)

_LOCAL = ("NODE_RANK", "LOCAL_RANK")


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that results may depend on."""
    found = {package: _version(package) for package in PACKAGES}
    return {"python": platform.python_version(), **{name: text for name, text in found.items() if text is not None}}


@cache
def _version(package: str) -> str | None:
    """The version of an installed package, looked up once in a process; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that this code runs from, and whether files differ from it; None outside a checkout.

    Read once in a process, since a running process keeps the code that it started with.
    """
    commit = git("rev-parse", "HEAD") if is_checkout() else None
    return None if commit is None else {"commit": commit, "dirty": bool(git("status", "--porcelain"))}


def is_first_process() -> bool:
    """Whether this process is the only one or has rank 0; only this process records and prints.

    Lightning's ddp strategy starts the command again for each further process and sets its rank in the environment, as
    torchrun and Slurm do.
    """
    places = ("RANK",) if "RANK" in os.environ else ("SLURM_PROCID",) if "SLURM_NTASKS" in os.environ else _LOCAL
    return all(os.environ.get(place, "0") == "0" for place in places)


def machine(device: str = "cpu", threads: int | None = None) -> dict[str, Any]:
    """Platform, number of usable CPU cores, and the device and CPU threads of the run."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "platform": platform.platform(),
        "processor": platform.machine(),
        "n_cpus": usable,
        "device": device,
        "threads": threads,
    }
