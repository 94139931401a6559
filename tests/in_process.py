"""A command's main function, called in this process with the arguments of a command line."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from hydra.core.global_hydra import GlobalHydra

from recsys.commands.main import main


@dataclass(frozen=True)
class Said:
    """What a command ended with: its exit status, and what it printed."""

    status: int
    out: str
    error: str


class _Stream(io.TextIOWrapper):
    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def text(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)


def call(command: str, arguments: Sequence[str], encoding: str = "utf-8") -> Said:
    """Run `recsys <command>` on a terminal of an encoding; an exception that the command lets out is raised here."""
    out, error, status = _Stream(encoding), _Stream(encoding), 0
    handlers = logging.root.handlers[:]
    with patch.object(sys, "argv", ["recsys", command, *arguments]), redirect_stdout(out), redirect_stderr(error):
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            GlobalHydra.instance().clear()
            logging.root.handlers[:] = handlers
    return Said(status, out.text(), error.text())
