"""Concurrent requests; every answer that is paid for is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from recsys.language_models.http_endpoint import StoppedError

Request = TypeVar("Request")
Answered = TypeVar("Answered")


def ask_all(
    requests: Sequence[Request],
    ask: Callable[[Request], Answered],
    keep: Callable[[Request, Answered], object],
    n_concurrent: int,
    stop: threading.Event,
) -> None:
    """Send requests in threads, and keep each answer, in the caller's thread, as soon as it is there.

    Where one fails, no further one begins, and the answers to those under way are kept before the error is raised.

    Args:
        requests: The requests.
        ask: Sends one; raises StoppedError once `stop` is set.
        keep: Takes a request and its answer.
        n_concurrent: Number of requests at the same time.
        stop: Set when a request fails.
    """

    def ask_or_stop(request: Request) -> Answered:
        try:
            return ask(request)
        except BaseException:
            stop.set()  # requests that have not begun end, too
            raise

    with ThreadPoolExecutor(max(1, min(n_concurrent, len(requests)))) as pool:
        pending = {pool.submit(ask_or_stop, request): request for request in requests}
        try:
            for future in as_completed(pending):
                keep(pending[future], future.result())
                del pending[future]
        except BaseException as error:
            stop.set()
            others = _save_what_is_paid(pending, keep)
            if isinstance(error, StoppedError) and others:
                raise others[0] from None
            raise


def _save_what_is_paid(
    pending: dict[Future[Answered], Request], keep: Callable[[Request, Answered], object]
) -> list[Exception]:
    """Keep the answers to requests that are under way when one fails; gives the errors of the others."""
    errors: list[Exception] = []
    for future, request in pending.items():
        if future.cancel():
            continue
        try:
            keep(request, future.result())
        except StoppedError:
            continue
        except Exception as error:
            errors.append(error)
    return errors
