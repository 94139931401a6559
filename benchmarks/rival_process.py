"""Runs a rival's script by its own interpreter."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


def measured(python: str | Path, script: str, *arguments: Any) -> dict[str, Any]:
    """The figures that a script of this folder prints as its last line, which is JSON.

    Raises:
        RuntimeError: If the script fails.
    """
    command = [str(python), str(Path(__file__).with_name(script)), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{finished.stderr}")
    figures: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return figures
