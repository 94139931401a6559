"""Virtual environments for the rivals, made on demand in `benchmarks/.venvs` with exact pins."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / ".venvs"
STAMP = "installed.txt"
TORCH = "torch==2.13.0"
# Asked first for torch's small CPU build; where it cannot be reached, pip goes on without it.
TORCH_INDEX = os.environ.get("TORCH_INDEX", "https://download.pytorch.org/whl/cpu")


@dataclass(frozen=True)
class Environment:
    """A rival's own environment.

    Attributes:
        title: What the rival is called.
        dependencies: Pins that are installed after torch, with what they need.
        package: The rival's own pin.
        options: Of pip, for the rival's own package.
        pythons: Versions of Python that all of them have wheels for.
    """

    title: str
    dependencies: tuple[str, ...]
    package: str
    options: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ("3.11", "3.12")

    @property
    def folder(self) -> Path:
        """Where it is."""
        return FOLDER / self.title.lower()

    def is_installed(self) -> bool:
        """Whether it is there with today's pins."""
        stamp = self.folder / STAMP
        return stamp.exists() and stamp.read_text() == self._pins()

    def python(self) -> Path:
        """Its interpreter; it is made first where it is missing or has other pins.

        Raises:
            RuntimeError: If there is no Python that the pins have wheels for.
        """
        interpreter = self.folder / "bin" / "python"
        if not self.is_installed():
            self._make(interpreter)
        return interpreter

    def _make(self, interpreter: Path) -> None:
        print(f"Installing {self.title} into {self.folder} (some minutes, once) …", file=sys.stderr)
        subprocess.run([self._base_python(), "-m", "venv", "--clear", str(self.folder)], check=True)
        pip = [str(interpreter), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        index = ["--retries", "1", "--extra-index-url", TORCH_INDEX] if TORCH_INDEX else []
        subprocess.run([*pip, *index, TORCH], check=True)
        subprocess.run([*pip, *self.dependencies], check=True)
        subprocess.run([*pip, *self.options, self.package], check=True)
        (self.folder / STAMP).write_text(self._pins())

    def _base_python(self) -> str:
        if platform.python_version().rpartition(".")[0] in self.pythons:
            return sys.executable
        found = next(filter(None, (shutil.which(f"python{version}") for version in self.pythons)), None)
        if found is None:
            wanted = " or ".join(self.pythons)
            raise RuntimeError(f"{self.title}'s environment needs Python {wanted}, and none is on the PATH.")
        return found

    def _pins(self) -> str:
        return "\n".join([TORCH, *self.dependencies, self.package, ""])


# RecBole 1.2.1 needs numpy<2 (it assigns `np.float = np.float_`) and scipy<1.13 (LightGCN: `dok_matrix._update`).
# It is installed without its dependencies: of those it declares, `ray<=2.6.3` has no build for Python 3.12, and neither
# ray nor plotly nor thop is on the path of the models that are compared.
RECBOLE = Environment(
    "RecBole",
    (
        "numpy==1.26.4",
        "scipy==1.12.0",
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
    ),
    "recbole==1.2.1",
    options=("--no-deps",),
)
RECTOOLS = Environment(
    "RecTools",
    ("numpy==1.26.4", "scipy==1.14.1", "pandas==2.2.3", "pytorch-lightning==2.5.2"),
    "rectools[torch]==0.19.0",
)
LENSKIT = Environment(  # later ones need Python 3.12.5
    "LensKit", ("numpy==2.2.6", "scipy==1.15.3", "pandas==2.2.3"), "lenskit==2025.8.1", pythons=("3.11",)
)
INFINITY = Environment(  # with the versions that infinity-emb requires
    "Infinity",
    (
        "numpy==1.26.4",
        "transformers==4.57.6",
        "sentence-transformers==3.4.1",
        "prometheus-fastapi-instrumentator==8.1.0",
    ),
    "infinity-emb[server,torch]==0.0.78",
)

recbole_is_installed, recbole_python = RECBOLE.is_installed, RECBOLE.python


def ml_100k() -> Path:
    """The folder of ML-100K as atomic files, which RecBole's wheel ships."""
    return next(RECBOLE.folder.glob("lib/python*/site-packages/recbole/dataset_example/ml-100k"))
