from __future__ import annotations

from itertools import pairwise

import pytest

from recsys.studies.answers.budget import LEVELS, TUNED, Level, choose_budget, measures_next, seconds_left

GROUPS = [[1.0, 1.0], [2.0], [4.0]]  # seconds of the first trial of each cell, by group


def needed(cost: float, level: Level, done: int = 1) -> float:
    """Of cells whose first trials cost so much together: later trials cost 1.5 times as much, runs 2.5 times."""
    return cost * ((level.trials - done) * 1.5 + level.seeds * 2.5)


def test_the_time_of_a_level_by_hand():
    # 4 s for the first trials, 4 × 4 × 1.5 s for the others, 3 × 4 × 2.5 s for the runs
    assert seconds_left(Level(5, 3), [1.0, 3.0]) == 4 + 24 + 30
    assert seconds_left(Level(5, 3), [1.0, 3.0], n_workers=2) == 29
    assert seconds_left(Level(5, 3), [1.0, 3.0], done=5) == 30
    assert seconds_left(Level(1, 1), [1.0, 3.0], done=20) == 10


def test_all_cells_get_the_highest_level_that_fits():
    for level in LEVELS[TUNED:]:
        exact = needed(8.0, level)
        found = choose_budget(GROUPS, exact, done=1)
        assert (found.n_groups, found.level, found.seconds, found.fits) == (3, level, exact, True)


@pytest.mark.parametrize(("cost", "n_groups"), [(8.0, 3), (4.0, 2), (2.0, 1)])
def test_the_last_groups_are_dropped_before_a_search_is_given_up(cost, n_groups):
    assert choose_budget(GROUPS, needed(cost, LEVELS[TUNED]), done=1).n_groups == n_groups
    less = choose_budget(GROUPS, needed(cost, LEVELS[TUNED]) - 0.01, done=1)
    assert less.n_groups == max(1, n_groups - 1)


def test_the_first_group_is_kept_with_less_than_a_search():
    found = choose_budget(GROUPS, needed(2.0, Level(1, 3)), done=1)
    assert (found.n_groups, found.level, found.fits) == (1, Level(1, 3), True)
    least = choose_budget(GROUPS, 0.0, done=1)
    assert (least.n_groups, least.level, least.fits) == (1, LEVELS[0], False)


def test_trials_that_are_done_are_never_taken_back():
    assert choose_budget([[1.0]], 0.0, done=10).level.trials == 10
    assert choose_budget([[1.0]], needed(1.0, Level(20, 3), done=10), done=10).level == Level(20, 3)


def test_more_time_never_gives_less():
    found = [choose_budget(GROUPS, seconds, done=1) for seconds in range(0, 1000, 7)]
    ranks = [(own.n_groups, LEVELS.index(own.level)) for own in found]
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(ranks))
    assert {own.n_groups for own in found} == {1, 2, 3}


def test_a_group_is_measured_if_a_search_of_it_would_fit():
    least = LEVELS[TUNED]
    exact = needed(2.0, least) + needed(2.0, least) + 2.0 * 1  # the first trial of the new group is not done
    assert seconds_left(least, [2.0]) == needed(2.0, least) + 2.0
    assert measures_next(GROUPS[:1], 2.0, exact)
    assert not measures_next(GROUPS[:1], 2.0, exact - 0.01)
    assert measures_next(GROUPS[:1], 2.0, exact / 2, n_workers=2)
