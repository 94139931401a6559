"""What a report says of a search."""

from __future__ import annotations

import pytest

from recsys.reports.search_summary import RANDOM, at_ends, search_notes, summary_grid, top_trials
from recsys.tracking.study_record import GRID, StudyCell, StudyRecord, Trial


def cell_of(values, states=None, **further):
    states = states or ["finished"] * len(values)
    trials = [Trial(n, {}, state, value) for n, (value, state) in enumerate(zip(values, states, strict=True))]
    return StudyCell("a", GRID, [], trials=trials, **further)


def study_of(*cells):
    return StudyRecord("s", "", [0], ["ndcg@10"], None, "val/ndcg@10", cells=list(cells))


def test_the_best_trial_is_beside_the_mean_of_the_best_five():
    cell = cell_of([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9], [*["finished"] * 6, "pruned"])
    (row,) = summary_grid(study_of(cell)).rows
    assert [entry.value for entry in row[1:7]] == [7, 1, 0, 0.0, 0.6, pytest.approx((0.6 + 0.5 + 0.4 + 0.3 + 0.2) / 5)]
    assert [trial.value for trial in top_trials(cell, n=2)] == [0.6, 0.5]
    assert [trial.value for trial in top_trials(cell, higher_is_better=False, n=2)] == [0.1, 0.2]


def test_the_header_has_the_number_of_best_trials_that_the_mean_is_of():
    few, many = cell_of([0.1, 0.2, 0.3]), cell_of([0.1] * 6)
    assert [summary_grid(study_of(*cells)).headers[6] for cells in ([few], [many], [few, many])] == [
        "mean of best 3",
        "mean of best 5",
        "mean of best 5 or fewer",
    ]


@pytest.mark.parametrize(("best", "is_warned"), [(0.2, True), (0.11, False)])
def test_a_best_trial_far_above_the_next_ones_is_a_warning(best, is_warned):
    notes = search_notes(study_of(cell_of([0.1, 0.1, 0.1, 0.1, best])))
    assert notes[0] == RANDOM
    assert any("it may be best by chance" in note for note in notes) is is_warned


@pytest.mark.parametrize(
    ("entry", "value", "is_at_end"),
    [
        ({"low": 0.0, "high": 1.0}, "0.049", True),
        ({"low": 0.0, "high": 1.0}, "0.051", False),
        ({"low": 0.0, "high": 1.0}, "0.951", True),
        ({"low": 0.01, "high": 1.0, "log": True}, str(10**-1.91), True),  # 4.5 % of two decades
        ({"low": 0.01, "high": 1.0, "log": True}, str(10**-1.89), False),
        ({"choice": [1, 2]}, "1", False),  # of two numbers each one is an end
        ({"choice": [16, 32, 128]}, "128", True),
        ({"choice": [128, 16, 32]}, "32", False),
        ({"choice": [0.0001, 0.001, 0.01, 0.1]}, "0.001", False),  # near the least, but not the least
        ({"choice": [8, 8, 16]}, "8", False),
        ({"choice": [None, 16, 32]}, "16", False),
        ({"choice": ["a", "b", "c"]}, "a", False),
    ],
)
def test_a_value_near_an_end_of_its_range_is_reported(entry, value, is_at_end):
    cell = cell_of([0.1], parameters={"k": value}, space={"k": entry})
    assert bool(at_ends(cell)) is is_at_end
    assert any("is at the end of its range" in note for note in search_notes(study_of(cell))) is is_at_end


def test_keys_that_a_cell_fixes_are_listed():
    cell = StudyCell("b", GRID, [], left_out={"optimizer.lr": "learning_rate=0.1"})
    assert search_notes(study_of(cell)) == [
        "b: declared keys that were not searched: optimizer.lr (learning_rate=0.1)."
    ]


def test_failed_trials_are_a_warning_with_their_error():
    trials = [Trial(0, {}, "finished", 0.1), *(Trial(n, {}, "failed", error="ConfigError: no.") for n in (1, 2))]
    notes = search_notes(study_of(StudyCell("a", GRID, [], trials=trials)))
    assert notes[1] == (
        "a: of its 3 trials 2 failed (ConfigError: no.), so its search was smaller than those of other cells."
    )
