import numpy as np
import pytest

from recsys.serving.audit.free_generation import Overlaps, interval, look_alikes, overlap_finding, overlaps
from recsys.serving.audit.probes import Probes
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_MEASURED, IS_NOT_CHECKED

TITLES = ["Big Fish (2003)", "Old Man (1998)", "New Sea (1954)", "Red Tale (1971)", "Heat (1995)", "Jaws (1975)", "Up"]


def probes(titles, prefix="1::"):
    return Probes(np.arange(len(titles)), [prefix] * len(titles), titles, np.zeros((0, 2), dtype=np.int64))


def test_made_up_titles_have_the_words_of_others_at_the_same_position():
    for seed in range(5):
        made = look_alikes(probes(TITLES), seed)
        assert made[-1] == ""  # the only title of its shape
        assert not set(made) & set(TITLES)
        for columns in zip(*(text.split() for text in made[:4] if text), strict=True):
            places = [set(words) for words in zip(*(text.split() for text in TITLES[:4]), strict=True)]
            assert any(set(columns) <= words for words in places)


def test_a_made_up_continuation_keeps_the_space_and_completes_no_true_line():
    asked = Probes(np.arange(2), ["Heat", "Jaws"], [" (1995)", " (1975)"], np.zeros((0, 2), dtype=np.int64))
    assert {tuple(look_alikes(asked, seed)) for seed in range(6)} == {("", "")}
    known = ["Heat (1995)", "Jaws (1975)", "Antz (1995)"]
    assert all(text == "" or text not in known for text in look_alikes(probes(known), 0))


def test_overlaps_by_hand():
    # " big " has 2 n-grams of 4 characters, " fish " has 3, and so has " old fish " 5 in all, 3 of them in "Big fish".
    found = overlaps(["Big fish, 2003", "a river"], ["big fish", "sea"], ["old fish", "war"])
    assert found.true.tolist() == [1.0, 0.0]
    assert found.made_up.tolist() == [pytest.approx(3 / 5), 0.0]
    assert found.complete.tolist() == [True, False]
    assert len(overlaps(["a", "b"], ["a", "b"], ["", "a c"]).true) == 1


@pytest.mark.parametrize(
    ("true", "is_leak", "status"), [(0.9, True, IS_FOUND), (0.1, True, IS_CLEAN), (0.9, False, IS_MEASURED)]
)
def test_more_overlap_with_true_lines_is_a_leak(true, is_leak, status):
    noise = np.tile([-0.05, 0.05], 20)
    found = Overlaps(true + noise, np.full(40, 0.1), np.zeros(40, dtype=bool))
    finding = overlap_finding("memory", "lines", found, is_leak, 0)
    assert finding.status == status
    assert finding.numbers["low"] <= true - 0.1 <= finding.numbers["high"]


def test_without_a_made_up_title_nothing_is_checked():
    none = overlaps([], [], [])
    assert overlap_finding("memory", "lines", none, True, 0).status == IS_NOT_CHECKED


def test_the_interval_is_that_of_the_mean():
    differences = np.random.default_rng(0).normal(0.2, 0.1, 400)
    low, high = interval(differences, 1)
    half = 1.96 * differences.std() / 20
    assert (low, high) == pytest.approx((differences.mean() - half, differences.mean() + half), abs=0.002)
