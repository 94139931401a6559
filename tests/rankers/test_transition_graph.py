"""The order of the list equals that of the paper's procedure, item by item."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from recsys.layers.post_processing import PostProcessing
from recsys.rankers.transition_graph import TransitionGraphRanker, transitions
from recsys.schema import ConfigError, DataError, ModelContext, TrainInteractions, UserBatch
from recsys.testing.ranker_contract import N_ITEMS, RankerContract, catalogue, context, train, user_side

N, USERS = 40, 12


def interactions(text_dim: int = 6) -> TrainInteractions:
    """Twelve walks of seven items each, of which a few are never visited."""
    rng = np.random.default_rng(3)
    walks = [rng.permutation(N - 6)[:7] for _ in range(USERS)]
    users, items = np.repeat(np.arange(USERS), 7), np.concatenate(walks)
    shuffled = rng.permutation(len(users))
    times = np.tile(np.arange(7), USERS)
    text = rng.standard_normal((N, text_dim)).astype(np.float32)
    return TrainInteractions(users[shuffled], items[shuffled], times[shuffled], USERS, N, text)


def ranker_of(train_part: TrainInteractions, **settings) -> TransitionGraphRanker:
    counts = torch.from_numpy(np.bincount(train_part.items, minlength=N))
    text_dim = train_part.text_vectors.shape[1]
    made = TransitionGraphRanker(ModelContext(0, torch.ones(USERS).bool(), counts, text_dim=text_dim), **settings)
    made.fit(train_part)
    return made


def batch_of(histories: list[list[int]]) -> UserBatch:
    width = max(map(len, histories))
    history = torch.tensor([[*items, *[0] * (width - len(items))] for items in histories])
    mask = torch.tensor([[True] * len(items) + [False] * (width - len(items)) for items in histories])
    return UserBatch(torch.full((len(histories),), -1), history, mask)


def counted(train_part: TrainInteractions) -> np.ndarray:
    counts = np.zeros((N, N))
    for user in range(USERS):
        chosen = train_part.users == user
        walk = train_part.items[chosen][np.argsort(train_part.timestamps[chosen])]
        for before, after in pairwise(walk):
            counts[before, after] += 1
    return counts


def by_the_paper(train_part: TrainInteractions, history: list[int], weight: float, budgets: list[int]) -> list[int]:
    """One ring after the other by breadth-first search; places beyond the budgets in the order of the rings."""
    counts, unit = counted(train_part), train_part.text_vectors.astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    last, hops = history[-1], {history[-1]: 0}
    queue = [last]
    for item in queue:
        for after in np.flatnonzero(counts[item]):
            if after not in hops:
                hops[after] = hops[item] + 1
                queue.append(after)
    bonus = np.log1p(counts[last]) / max(np.log1p(counts[last]).max(), 1e-12)
    first, rest = [], []
    for ring, budget in enumerate(budgets, start=1):
        inside = [item for item in range(N) if hops.get(item) == ring and item not in history]
        inside.sort(key=lambda item: -(unit[last] @ unit[item] + weight * bonus[item] * (hops[item] == 1)))
        first, rest = first + inside[:budget], rest + inside[budget:]
    others = [item for item in range(N) if item not in first + rest + history]
    return first + rest + sorted(others, key=lambda item: -(unit[last] @ unit[item]))


@pytest.mark.parametrize(("weight", "budgets"), [(0.5, [7, 2, 1]), (0.0, [1, 1]), (2.0, [1, 0, 2])])
def test_the_list_is_the_papers(weight, budgets):
    part = interactions()
    histories = [[3, 9, 1], [7], [39], *(part.items[part.users == user].tolist() for user in range(4))]
    scores = ranker_of(part, edge_weight=weight, budgets=budgets).score_histories(batch_of(histories))
    for row, history in enumerate(histories):
        unknown = [item for item in scores[row].argsort(descending=True, stable=True).tolist() if item not in history]
        assert unknown == by_the_paper(part, history, weight, budgets)


def test_transitions_are_those_of_each_user_in_time():
    assert np.array_equal(transitions(interactions()).toarray(), counted(interactions()))


def test_without_text_a_ring_is_ordered_by_its_edges_and_then_by_popularity():
    part = interactions(text_dim=0)
    counts, popularity = counted(part), np.bincount(part.items, minlength=N)
    last = int(counts.sum(axis=1).argmax())
    scores = ranker_of(part).score_histories(batch_of([[last]]))[0]
    ring = [item for item in np.flatnonzero(counts[last]) if item != last]
    expected = sorted(ring, key=lambda item: (-counts[last, item], -popularity[item], item))
    assert [item for item in scores.argsort(descending=True, stable=True).tolist() if item in ring] == expected


def test_a_new_user_gets_the_most_popular():
    scores = ranker_of(interactions()).score_histories(batch_of([[], [3]]))[0]
    popularity = np.bincount(interactions().items, minlength=N)
    assert popularity[scores.argsort(descending=True, stable=True).numpy()].tolist() == sorted(popularity)[::-1]


def test_texts_are_post_processed():
    part = interactions()
    plain, white = ranker_of(part), ranker_of(part, vectors=PostProcessing(whitening=1.0))
    assert torch.allclose(white.texts.norm(dim=1), torch.ones(N))
    assert not torch.allclose(white.texts, plain.texts, atol=1e-2)


@pytest.mark.parametrize("truncate", [1, 3])
def test_truncated_texts_are_compared_in_their_first_dimensions(truncate):
    part = interactions()
    vectors = part.text_vectors[:, :truncate].astype(float)
    vectors -= vectors[np.bincount(part.items, minlength=N) > 0].mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = ranker_of(part, vectors=PostProcessing(truncate=truncate)).texts
    assert np.allclose(texts @ texts.T, vectors @ vectors.T, atol=1e-5)


class TestTransitionGraphRanker(RankerContract):
    def make(self):
        sizes = context()
        made = TransitionGraphRanker(ModelContext(0, sizes.warm_users, sizes.item_counts, text_dim=4))
        made.fit(train(4))
        return made

    def test_saved_weights_fit_one_that_was_not_fitted(self, ranker):
        sizes = context()
        again = TransitionGraphRanker(ModelContext(0, sizes.warm_users, sizes.item_counts, text_dim=4))
        again.load_state_dict(ranker.state_dict())
        expected = ranker.score_catalogue(user_side(), catalogue())
        assert torch.equal(again.score_catalogue(user_side(), catalogue()), expected)
        assert expected.shape == (4, N_ITEMS)


def test_it_needs_times():
    part = interactions()
    with pytest.raises(DataError, match="needs times"):
        transitions(TrainInteractions(part.users, part.items, None, USERS, N, part.text_vectors))


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"edge_weight": -1.0}, "edge_weight"), ({"budgets": []}, "budgets"), ({"budgets": [-1]}, "budgets")],
)
def test_impossible_values_name_their_key(settings, key):
    with pytest.raises(ConfigError, match=f"ranker.{key}"):
        TransitionGraphRanker(context(), **settings)
