"""Checkpoints that are whole or absent."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

Write = Callable[[Path, memoryview], None]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's own writes by way of the system's folder for temporary files: where that is another file system, a
    kill leaves half a checkpoint, which no run goes on from.

    Args:
        write: Puts a file's content in its place, whole or not at all.
    """

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        if storage_options is not None:
            raise TypeError("checkpoints are written to a file system, which knows no storage_options")
        content = io.BytesIO()
        torch.save(checkpoint, content)
        self._write(Path(path), content.getbuffer())
