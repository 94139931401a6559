"""Virtual environments for the rivals, made on demand in `benchmarks/.venvs` with exact pins."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

RECBOLE = Path(__file__).parent / ".venvs" / "recbole"
RECBOLE_PYTHON = RECBOLE / "bin" / "python"
STAMP = "installed.txt"

# RecBole 1.2.1 needs numpy<2 (it assigns `np.float = np.float_`). It is installed without its dependencies: of those
# it declares, `ray<=2.6.3` has no build for Python 3.12, and neither ray nor plotly nor thop is on BPR's path.
PACKAGE = "recbole==1.2.1"
TORCH = "torch==2.13.0"
DEPENDENCIES = [
    "numpy==1.26.4",
    "scipy==1.13.1",
    "pandas==2.2.3",
    "scikit-learn==1.5.2",
    "tensorboard==2.18.0",
    "setuptools==80.9.0",
    "colorlog==4.7.2",
    "colorama==0.4.4",
    "pyyaml==6.0.2",
    "tabulate==0.9.0",
    "texttable==1.7.0",
    "psutil==6.1.1",
    "tqdm==4.67.1",
]
PYTHONS = ["3.11", "3.12"]  # numpy 1.26 has wheels for these
# Asked first for torch's small CPU build; where it cannot be reached, pip goes on without it.
TORCH_INDEX = os.environ.get("TORCH_INDEX", "https://download.pytorch.org/whl/cpu")


def recbole_is_installed() -> bool:
    """Whether the environment is there with today's pins."""
    stamp = RECBOLE / STAMP
    return stamp.exists() and stamp.read_text() == _pins()


def recbole_python() -> Path:
    """The interpreter of RecBole's environment, which is made first where it is missing or has other pins.

    Raises:
        RuntimeError: If there is no Python that RecBole's dependencies have wheels for.
    """
    if not recbole_is_installed():
        _make_recbole()
    return RECBOLE_PYTHON


def ml_100k() -> Path:
    """The folder of ML-100K as atomic files, which RecBole's wheel ships."""
    return next(RECBOLE.glob("lib/python*/site-packages/recbole/dataset_example/ml-100k"))


def _make_recbole() -> None:
    print(f"Installing RecBole into {RECBOLE} (some minutes, once) …", file=sys.stderr)
    subprocess.run([_base_python(), "-m", "venv", "--clear", str(RECBOLE)], check=True)
    pip = [str(RECBOLE_PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    index = ["--retries", "1", "--extra-index-url", TORCH_INDEX] if TORCH_INDEX else []
    subprocess.run([*pip, *index, TORCH], check=True)
    subprocess.run([*pip, *DEPENDENCIES], check=True)
    subprocess.run([*pip, "--no-deps", PACKAGE], check=True)
    (RECBOLE / STAMP).write_text(_pins())


def _base_python() -> str:
    if platform.python_version().rpartition(".")[0] in PYTHONS:
        return sys.executable
    found = next(filter(None, (shutil.which(f"python{version}") for version in PYTHONS)), None)
    if found is None:
        raise RuntimeError(f"RecBole's environment needs Python {' or '.join(PYTHONS)}, and none is on the PATH.")
    return found


def _pins() -> str:
    return "\n".join([TORCH, *DEPENDENCIES, PACKAGE, ""])
