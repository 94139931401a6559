"""A run's folder: the name of its checkpoints, and config paths that stay valid when the folder moves."""

from __future__ import annotations

from typing import Any

CHECKPOINTS = "checkpoints"  # as in conf/callbacks
RUN_DIR = "${paths.run_dir}"


def in_folder(value: Any, run_dir: str) -> Any:
    """Replace the run's folder at the beginning of paths in a configuration by `${paths.run_dir}`.

    Example:
        >>> in_folder({"csv": {"save_dir": "runs/a1/log"}, "name": "runs"}, "runs/a1")
        {'csv': {'save_dir': '${paths.run_dir}/log'}, 'name': 'runs'}
    """
    if isinstance(value, dict):
        return {key: in_folder(inner, run_dir) for key, inner in value.items()}
    if isinstance(value, str) and (value == run_dir or value.startswith(f"{run_dir}/")):
        return RUN_DIR + value.removeprefix(run_dir)
    return value
