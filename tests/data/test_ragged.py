import numpy as np
import pytest

from recsys.data.ragged import ItemLists


def test_lists_keep_the_order_of_the_pairs():
    lists = ItemLists.from_pairs(np.array([2, 0, 2, 2]), np.array([5, 6, 7, 5]), 4)
    assert len(lists) == 4
    assert [lists[row].tolist() for row in range(4)] == [[6], [], [5, 7, 5], []]
    assert lists.lengths.tolist() == [1, 0, 3, 0]
    assert lists.values.dtype == np.int32


def test_an_order_sorts_within_lists_and_ties_stay_as_they_come():
    rows, items, order = np.array([0, 1, 0, 0]), np.array([1, 2, 3, 4]), np.array([9, 0, 3, 9])
    assert ItemLists.from_pairs(rows, items, 2, order)[0].tolist() == [3, 1, 4]


def test_no_pairs_are_empty_lists():
    lists = ItemLists.from_pairs(np.array([], dtype=np.int64), np.array([], dtype=np.int64), 3)
    assert [lists[row].tolist() for row in range(3)] == [[], [], []]
    assert lists.pairs(np.array([0, 2])).shape == (2, 0)


@pytest.mark.parametrize("rows", [[], [3], [1, 1, 0], [4, 0, 2, 4]])
def test_pairs_equal_a_loop(rows):
    generator = np.random.default_rng(0)
    lists = ItemLists.from_pairs(generator.integers(5, size=30), generator.integers(100, size=30), 5)
    expected = [(place, item) for place, row in enumerate(rows) for item in lists[row].tolist()]
    found = lists.pairs(np.array(rows, dtype=np.int64))
    assert list(zip(*found.tolist(), strict=True)) == expected
