"""Waiting times, by a clock that only the test moves."""

from __future__ import annotations

from recsys.language_models.pace import Backoff, Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_requests_begin_at_most_so_many_a_minute():
    clock = Clock()
    pace = Pace(per_minute=120, clock=clock)
    assert [pace.reserve() for _ in range(3)] == [0.0, 0.5, 1.0]
    clock.now += 10  # what was not used is not saved up
    assert [pace.reserve() for _ in range(2)] == [0.0, 0.5]


def test_nothing_begins_while_the_server_asks_to_wait():
    clock = Clock()
    pace = Pace(clock=clock)
    pace.hold(3.0)
    pace.hold(1.0)
    assert [pace.reserve() for _ in range(2)] == [3.0, 3.0]
    clock.now += 3
    assert pace.reserve() == 0.0


def test_waiting_times_double_up_to_the_longest():
    backoff = Backoff(first_wait=1.0, max_wait=5.0)
    for attempt, whole in enumerate([1.0, 2.0, 4.0, 5.0, 5.0]):
        assert whole / 2 <= backoff.wait(attempt) <= whole
