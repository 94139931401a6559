import numpy as np
import pytest
import torch

from recsys.data.queries import Examples, Queries
from recsys.data.ragged import ItemLists
from recsys.training.batches import EvaluationBatches, TensorLists, TrainBatches, WholeUserBatches

# User 0 did 5, 6, 7 in this order, user 1 nothing, user 2 did 8.
LISTS = ItemLists(np.array([0, 3, 3, 4]), np.array([5, 6, 7, 8], dtype=np.int32))


def examples():
    rows = np.array([0, 0, 0, 2])
    return Examples(rows, np.array([5, 6, 7, 8]), LISTS, rows, np.array([0, 1, 2, 0]))


def batches(epoch=0, size=4, history="others", max_history=5, rank=0, world_size=1, seed=0):
    return TrainBatches(examples(), size, max_history, history, None, seed, lambda: epoch, rank, world_size)


def histories_by_positive(iterable):
    found = {}
    for batch in (batch for block in iterable for batch in block):
        for row, positive in enumerate(batch.positives.tolist()):
            found[positive] = batch.users.history[row][batch.users.history_mask[row]].tolist()
    return found


def test_newest_items_are_kept_oldest_first():
    items, mask = TensorLists(LISTS).newest(torch.tensor([0, 1, 2]), None, 2)
    assert items.tolist() == [[6, 7], [0, 0], [8, 0]]
    assert mask.tolist() == [[True, True], [False, False], [True, False]]


def test_newest_before_a_position():
    items, mask = TensorLists(LISTS).newest(torch.tensor([0, 0]), torch.tensor([1, 3]), 2)
    assert items.tolist() == [[5, 0], [6, 7]]
    assert mask.tolist() == [[True, False], [True, True]]


def test_others_is_the_history_without_the_positive():
    assert histories_by_positive(batches()) == {5: [6, 7], 6: [5, 7], 7: [5, 6], 8: []}


def test_a_history_has_no_gap_where_the_positive_was():
    (batch,) = batches().make([torch.tensor([1, 0, 3])])
    assert batch.users.history.tolist() == [[5, 7], [6, 7], [0, 0]]
    assert batch.users.history_mask.tolist() == [[True, True], [True, True], [False, False]]


def test_a_positive_that_a_user_has_repeatedly_leaves_no_gap():
    users, items = np.zeros(5, dtype=np.int64), np.array([5, 6, 5, 7, 5])
    examples = Examples(users, items, ItemLists.from_pairs(users, items, 1), users, np.arange(5))
    (batch,) = TrainBatches(examples, 5, 4, "others", None, 0, lambda: 0).make([torch.arange(5)])
    assert batch.users.history.tolist() == [[6, 7, 0, 0], [5, 7, 5, 0], [6, 7, 0, 0], [6, 5, 5, 0], [6, 7, 0, 0]]
    assert batch.users.history_mask.sum(dim=1).tolist() == [2, 3, 2, 3, 2]


def test_before_is_what_came_earlier():
    assert histories_by_positive(batches(history="before")) == {5: [], 6: [5], 7: [5, 6], 8: []}


def test_a_profile_without_history_gets_no_columns():
    (batch,) = next(iter(batches(max_history=0)))
    assert batch.users.history.shape == (4, 0)


def test_every_example_comes_once_in_an_order_of_seed_and_epoch():
    def order(**kwargs):
        return torch.cat([batch.positives for (batch,) in batches(size=3, **kwargs)]).tolist()

    assert sorted(order()) == [5, 6, 7, 8]
    assert order(epoch=3) == order(epoch=3)
    assert len({tuple(order(epoch=epoch)) for epoch in range(8)}) > 1
    assert len({tuple(order(seed=seed)) for seed in range(8)}) > 1


def test_processes_share_the_batch_of_one_process():
    (whole,) = next(iter(batches()))
    shares = [next(iter(batches(rank=rank, world_size=2))) for rank in range(2)]
    assert torch.cat([share.positives for (share,) in shares]).tolist() == whole.positives.tolist()


def test_processes_weigh_their_shares_by_size_and_one_without_an_example_takes_one_that_counts_nothing():
    shares = [[batch for (batch,) in batches(size=3, rank=rank, world_size=2)] for rank in range(2)]
    assert [[len(batch.positives) for batch in own] for own in shares] == [[2, 1], [1, 1]]
    # Of three examples two and one, times two processes over three examples; then one and none of one.
    assert [[batch.weight for batch in own] for own in shares] == [[4 / 3, 2.0], [2 / 3, 0.0]]


def queries(candidates=None):
    positives = ItemLists(np.array([0, 1, 1, 3]), np.array([9, 1, 2], dtype=np.int32))
    users = np.array([0, 2])
    return Queries(users, users, LISTS, positives, candidates)


def test_evaluation_gives_seen_and_positives_as_pairs():
    batch = next(iter(EvaluationBatches(queries(), chunk_size=10, max_history=2)))
    assert batch.query.tolist() == [0, 1]
    assert batch.users.history.tolist() == [[6, 7], [8, 0]]
    assert batch.seen.tolist() == [[0, 0, 0, 1], [5, 6, 7, 8]]
    assert batch.positives.tolist() == [[0, 1, 1], [9, 1, 2]]


def test_candidates_are_padded_and_nothing_is_masked():
    candidates = ItemLists(np.array([0, 2, 2, 5]), np.array([9, 5, 1, 8, 2], dtype=np.int32))
    batch = next(iter(EvaluationBatches(queries(candidates), chunk_size=10, max_history=2)))
    assert batch.query.tolist() == [0, 1]
    assert batch.users.idx.tolist() == [0, 2]
    assert batch.positives.tolist() == [[0, 1, 1], [9, 1, 2]]
    assert batch.candidates.tolist() == [[9, 5, -1], [1, 8, 2]]
    assert batch.seen.shape == (2, 0)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_the_queries_and_none_comes_twice(world_size):
    found = [
        query
        for rank in range(world_size)
        for batch in EvaluationBatches(queries(), 1, 2, rank, world_size)
        for query in batch.query.tolist()
    ]
    assert sorted(found) == [0, 1]


class NumberedTexts:
    """In place of texts about users: their numbers."""

    def take(self, numbers):
        return numbers


def test_texts_are_those_of_the_queries_and_of_the_examples():
    batch = next(iter(EvaluationBatches(queries(), chunk_size=10, max_history=2, texts=NumberedTexts())))
    assert batch.users.text.tolist() == [0, 1]
    for max_history in (0, 2):
        made = TrainBatches(examples(), 4, max_history, "others", NumberedTexts(), 0, lambda: 0)
        (batch,) = made.make([torch.tensor([3, 1])])
        assert batch.users.text.tolist() == [3, 1]
        assert batch.users.idx.tolist() == [2, 0]


def test_masked_items_take_the_place_of_the_history_where_they_are_given():
    masked = ItemLists(np.array([0, 1, 1, 2]), np.array([4, 3], dtype=np.int32))
    given = Queries(np.array([0, 2]), np.array([0, 2]), LISTS, LISTS, None, masked)
    (batch,) = EvaluationBatches(given, chunk_size=10, max_history=2)
    assert batch.seen.tolist() == [[0, 1], [4, 3]]


def test_impressions_bring_what_was_shown_and_the_history_before_it():
    shown = ItemLists(np.array([0, 2, 2, 3]), np.array([1, 2, 3], dtype=np.int32))
    rows = np.array([0, 2])
    given = Examples(rows, np.array([7, 9]), LISTS, rows, np.array([3, 1]), shown)
    (batch,) = TrainBatches(given, 2, 5, "others", None, 0, lambda: 0).make([torch.tensor([0, 1])])
    assert batch.shown.tolist() == [[1, 2], [3, 0]]
    assert batch.shown_mask.tolist() == [[True, True], [True, False]]
    assert batch.users.history.tolist() == [[5, 6, 0], [8, 0, 0]]  # an earlier click on the positive is left out


def test_whole_users_come_with_their_histories_and_without_positives():
    # Four interactions of two users are two for each: a batch of 3 interactions has 2 users (3 / 2, rounded to even).
    made = WholeUserBatches(LISTS, 3, 0, lambda: 0)
    (batch,) = next(iter(made))
    assert (made.n, made.size, len(made)) == (2, 2, 1)
    by_user = dict(zip(batch.users.idx.tolist(), batch.users.history.tolist(), strict=True))
    assert by_user == {0: [5, 6, 7], 2: [8, 0, 0]}
    assert batch.users.history_mask.sum(dim=1).tolist() == [{0: 3, 2: 1}[user] for user in batch.users.idx.tolist()]
    assert batch.positives.shape == (0,)
    assert WholeUserBatches(LISTS, 1, 0, lambda: 0).size == 1


@pytest.mark.parametrize(("size", "users"), [(1, 1), (4, 1), (5, 1), (7, 2), (12, 3)])
def test_a_batch_of_whole_users_has_as_many_as_have_its_interactions_in_the_mean(size, users):
    # One user has four interactions: 1/4, 1, 5/4, 7/4 and 3 users, rounded, and at least one.
    one = ItemLists(np.array([0, 0, 4]), np.arange(4, dtype=np.int32))
    assert WholeUserBatches(one, size, 0, lambda: 0).size == users


def test_lists_without_an_item_are_tables_of_no_columns():
    nothing = TensorLists(ItemLists(np.array([0, 0, 0]), np.empty(0, dtype=np.int32)))
    for rows, ends in (([0, 1], None), ([1], torch.tensor([0])), ([], None)):
        items, mask = nothing.newest(torch.tensor(rows, dtype=torch.long), ends, 3)
        assert items.shape == mask.shape == (len(rows), 0)


def test_the_chunks_are_counted():
    assert len(EvaluationBatches(queries(), 1, 2)) == 2
