"""Rate limits of requests to a server, and waiting times before repeated attempts."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class Pace:
    """Lets requests of all threads begin at most so many a minute, and none while the server asks to wait.

    Args:
        per_minute: Requests per minute; None for no limit.
        clock: Returns seconds.
    """

    def __init__(self, per_minute: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 0.0 if per_minute is None else 60.0 / per_minute
        self._clock, self._lock, self._next = clock, threading.Lock(), 0.0

    def reserve(self) -> float:
        """Seconds until the next request may begin; the place is taken by the caller."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self._gap
            return start - now

    def hold(self, seconds: float) -> None:
        """Let no request begin for this number of seconds."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


@dataclass(frozen=True)
class Backoff:
    """Exponential waiting times.

    Attributes:
        max_attempts: Number of attempts of one request, the first included.
        first_wait: Seconds before the second attempt, about; doubled before each further one.
        max_wait: Largest number of seconds before an attempt.
    """

    max_attempts: int = 6
    first_wait: float = 0.5
    max_wait: float = 60.0

    def wait(self, attempt: int) -> float:
        """Seconds after failure number `attempt` (from 0), jittered by half, so that threads do not retry together."""
        whole = min(self.max_wait, self.first_wait * 2.0**attempt)
        return whole * random.Random().uniform(0.5, 1.0)


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a header `Retry-After` asks to wait: a number or a date; None where it has neither.

    Example:
        >>> retry_after("2.5"), retry_after("soon")
        (2.5, None)
        >>> retry_after("Wed, 21 Oct 2026 07:28:00 GMT", datetime(2026, 10, 21, 7, 27, tzinfo=UTC))
        60.0
    """
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
