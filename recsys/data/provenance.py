"""The provenance of a file that another program made: a small yaml beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from recsys.schema import DataError


def provenance_file(path: Path) -> Path:
    """The yaml that describes a file: of the same name, as in `recs.yaml` for `recs.csv`."""
    return path.with_suffix(".yaml")


def read_provenance(path: Path) -> dict[str, Any] | None:
    """The origin of a file, from the yaml beside it: keys such as `program`, `version` and `fitted_on`.

    Args:
        path: The file itself.

    Returns:
        The yaml's keys and values; None if there is no yaml.

    Raises:
        DataError: If the file is not yaml, or has other content than keys with plain values.
    """
    beside = provenance_file(path)
    if not beside.is_file():
        return None
    try:
        content = yaml.safe_load(beside.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{beside} cannot be read ({error}).") from error
    if not isinstance(content, dict) or any(isinstance(value, dict | list) for value in content.values()):
        raise DataError(f"{beside} describes {path.name}; expected keys with plain values, as in 'program: LightFM'.")
    return {str(key): value if isinstance(value, str | int | float) else str(value) for key, value in content.items()}
