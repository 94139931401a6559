"""Signals during Lightning's loops, so that an interrupted program does not end with exit status 0."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning.utilities.exceptions import SIGTERMException


@contextmanager
def signals_passed_on() -> Iterator[None]:
    """Pass on the signals that arrive while a Trainer runs.

    Lightning ends a program by `sys.exit` after Ctrl-C, with SIGINT ignored from then on, and after SIGTERM with exit
    status 0. Here Ctrl-C raises KeyboardInterrupt, and SIGTERM ends with status 143.
    """
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        if is_main:
            signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error
