"""Checkpoints that are whole or absent."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

log = logging.getLogger(__name__)

Write = Callable[[Path, memoryview], None]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes each checkpoint whole or not at all.

    Lightning's own class first writes to the system's temporary folder. If that is on another file system, an
    interruption can leave half a checkpoint.

    Args:
        write: Writes a file, whole or not at all.
    """

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        if storage_options is not None:
            raise TypeError("storage_options must be None: checkpoints are written to a local file system.")
        content = io.BytesIO()
        torch.save(checkpoint, content)
        self._write(Path(path), content.getbuffer())


def is_whole(path: Path) -> bool:
    """Whether a checkpoint can be read and no byte of it has changed."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # any error of a damaged archive or pickle
        log.debug("%s: %s", path, error)
        return False
    return isinstance(content, dict) and {"state_dict", "loops", "epoch"} <= content.keys()


def set_aside(path: Path) -> None:
    """Rename a damaged checkpoint, with a warning that names it."""
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    log.warning(
        "%s is damaged and was renamed to %s: training continues from an earlier checkpoint, or starts again.",
        path,
        aside.name,
    )
