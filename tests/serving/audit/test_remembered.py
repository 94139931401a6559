import numpy as np
import pytest

from recsys.serving.audit.remembered import RECORDS, TITLES, by_memory, completed, wilson
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_MEASURED, IS_NOT_CHECKED


def hits(n_right: int, n: int) -> np.ndarray:
    return (np.arange(n) < n_right).reshape(-1, 5)


@pytest.mark.parametrize(
    ("name", "n_right", "status"), [(RECORDS, 40, IS_FOUND), (RECORDS, 21, IS_CLEAN), (TITLES, 100, IS_MEASURED)]
)
def test_more_than_chance_on_the_data_set_s_own_lines_is_a_leak(name, n_right, status):
    found = completed(name, hits(n_right, 100), 5)
    assert found.status == status
    assert (found.numbers["n"], found.numbers["of"], found.numbers["chance"]) == (n_right, 100, 1 / 5)


def test_the_interval_by_hand():
    z, n, p = 1.959963984540054, 10, 8 / 10
    centre, half = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert wilson(8, 10) == pytest.approx([(centre + sign * half) / (1 + z**2 / n) for sign in (-1, 1)])


def test_without_a_group_nothing_is_checked():
    assert completed(TITLES, np.zeros((0, 5), dtype=bool), 5).status == IS_NOT_CHECKED


def test_hit_rates_of_remembered_and_other_items():
    listed, remembered = np.array([True, True, False, False, True]), np.array([True, False, True, False, False])
    found = by_memory("by memory", 10, listed, remembered, np.array([6, 1, 4, 2, 0]))
    assert found.numbers == {
        **{"remembered_hits": 1, "remembered_of": 2, "remembered_train_interactions": 5},
        **{"other_hits": 2, "other_of": 3, "other_train_interactions": 1},
    }
    assert "There are no other items" in by_memory("", 10, listed, np.ones(5, bool), np.ones(5)).text
