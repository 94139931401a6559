"""Stopping a command: SIGINT (Ctrl-C) and SIGTERM end it within seconds, with a message and an exit status."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 4.0  # seconds between a signal and the end of a process that is still busy, as in a long call of a library
POLL = 1.0  # seconds between two checks that the parent process is alive
_SHOW_CURSOR = "\x1b[?25h"

_state: dict[str, Any] = {"stopped_by": None, "reported": False, "installed": None, "watches_parent": False}


class Interrupted(BaseException):
    """A signal that asks the process to end; no `except Exception` catches it, nor does Lightning.

    Args:
        number: The signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """End the process with status 130 (SIGINT) or 143 (SIGTERM) and a message, if a signal arrives in the block.

    The block ends by `Interrupted`, so that files and connections are closed. A process that is still busy after GRACE
    seconds is ended at once: its files are either whole or absent. A signal that the parent process has set to
    be ignored, as `nohup` does, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread() or _state["installed"] is not None:
        yield
        return
    _install()
    try:
        yield
    except Interrupted as interrupted:
        _report(interrupted.number)
        sys.exit(_status(interrupted.number))
    finally:
        if _state["stopped_by"] is None:
            _uninstall()


def end_with_parent(parent: int) -> None:
    """End this worker process soon after its parent process, and ignore Ctrl-C, which the parent handles.

    Args:
        parent: The id of the parent process, which may have ended already.
    """
    if _state["watches_parent"]:
        return
    _state["watches_parent"] = True
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(POLL)
    os._exit(_status(signal.SIGTERM))


def _install() -> None:
    caught = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in caught}
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in caught:
        signal.signal(number, _interrupt)
    _state["installed"] = {"before": before, "wakeup": wakeup, "writer": writer, "pid": os.getpid()}
    threading.Thread(target=_watch_signals, args=(reader,), daemon=True).start()


def _uninstall() -> None:
    installed = _state["installed"]
    for number, handler in installed["before"].items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(installed["wakeup"])
    os.close(installed["writer"])
    _state["installed"] = None


def _interrupt(number: int, frame: Any) -> None:  # noqa: ARG001 (the signature of a handler)
    if _state["stopped_by"] is not None:  # a second signal
        _end_now(_state["stopped_by"])
    _state["stopped_by"] = number
    raise Interrupted(number)


def _watch_signals(reader: int) -> None:
    """Wait for a signal in a thread: Python's own handlers run only after a library's call has ended."""
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while received := pipe.read(1):
            if received[0] in SIGNALS:
                threading.Event().wait(GRACE)
                _end_now(received[0])


def _end_now(number: int) -> NoReturn:
    _report(number)
    os._exit(_status(number))


def _report(number: int) -> None:
    if _state["reported"]:
        return
    _state["reported"] = True
    if os.environ.get("LOCAL_RANK", "0") != "0":  # of several processes of one run, the first one reports
        return
    name = "SIGINT (Ctrl-C)" if number == signal.SIGINT else signal.Signals(number).name
    shown = _SHOW_CURSOR if os.isatty(2) else ""
    text = f"{shown}stopped by {name}: all finished work is kept, and the same command continues from there.\n"
    with suppress(OSError):  # a terminal that is gone
        os.write(2, text.encode())


def _status(number: int) -> int:
    return 128 + number


def _forget_in_child() -> None:
    """Restore the handlers in a forked process, which must not write into its parent's pipe."""
    if _state["installed"] is None:
        return
    signal.set_wakeup_fd(-1)
    for number, handler in _state["installed"]["before"].items():
        signal.signal(number, handler)
    _state["installed"] = None


os.register_at_fork(after_in_child=_forget_in_child)
