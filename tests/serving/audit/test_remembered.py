import numpy as np
import pytest

from recsys.language_models.memory_probe import most_probable
from recsys.serving.audit.remembered import RECORDS, TITLES, completed
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


def test_guesses_between_two_continuations_are_rarely_taken_for_memory():
    random = np.random.default_rng(0)
    draws = [most_probable(random.standard_normal((100, 2, 2))) for _ in range(2000)]
    leaks = [completed(RECORDS, hits, 2).status == IS_FOUND for hits in draws]
    assert np.mean(leaks) < 0.04  # 2.5 % of them; both guesses of a pair are right, or none


def test_without_a_group_nothing_is_checked():
    assert completed(TITLES, np.zeros((0, 5), dtype=bool), 5).status == IS_NOT_CHECKED
