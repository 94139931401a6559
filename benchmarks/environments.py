"""Virtual environments for the rivals, made on demand in `benchmarks/.venvs` with exact pins."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parent / ".venvs"
STAMP = "installed.txt"

# RecBole 1.2.1 needs numpy<2 (it assigns `np.float = np.float_`). It is installed without its dependencies: of those
# it declares, `ray<=2.6.3` has no build for current Pythons, and neither ray nor plotly nor thop is on BPR's path.
RECBOLE = ["recbole==1.2.1"]
RECBOLE_DEPENDENCIES = [
    "torch==2.13.0",
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
# numpy 1.26 has wheels for these.
RECBOLE_PYTHONS = [(3, 11), (3, 12)]


def recbole_is_installed() -> bool:
    """Whether the environment is there with today's pins."""
    stamp = FOLDER / "recbole" / STAMP
    return stamp.exists() and stamp.read_text() == _recbole_pins()


def recbole_python() -> Path:
    """The interpreter of RecBole's environment, which is made first where it is missing or has other pins.

    Raises:
        RuntimeError: If this Python is none that RecBole's dependencies have wheels for.
    """
    folder = FOLDER / "recbole"
    if not recbole_is_installed():
        _make_recbole(folder)
    return _interpreter(folder)


def ml_100k() -> Path:
    """The folder of ML-100K as atomic files, which RecBole's wheel ships."""
    return next((FOLDER / "recbole").glob("lib/python*/site-packages/recbole/dataset_example/ml-100k"))


def _make_recbole(folder: Path) -> None:
    if sys.version_info[:2] not in RECBOLE_PYTHONS:
        found = ".".join(map(str, sys.version_info[:2]))
        raise RuntimeError(f"RecBole's environment needs Python 3.11 or 3.12, this is {found}: run with one of those.")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip = [str(_interpreter(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    print(f"Installing RecBole into {folder} (some minutes, once) …", file=sys.stderr)
    subprocess.run([*pip, *RECBOLE_DEPENDENCIES], check=True)
    subprocess.run([*pip, "--no-deps", *RECBOLE], check=True)
    (folder / STAMP).write_text(_recbole_pins())


def _recbole_pins() -> str:
    return "\n".join([*RECBOLE_DEPENDENCIES, *RECBOLE, ""])


def _interpreter(folder: Path) -> Path:
    return folder / "bin" / "python"
