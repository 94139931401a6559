"""RP3beta equals the formula of its paper, as a product of transition probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from rankers.test_closed_form import ClosedFormContract, dense, known, nearest_only, scores

from recsys.rankers.rp3beta import RP3BetaRanker
from recsys.schema import ConfigError
from recsys.testing.ranker_contract import N_ITEMS, context, train


def weights(alpha: float, beta: float) -> np.ndarray:
    """Two steps, from an item by a user to an item, over the popularity of the end."""
    counts, lengths = dense().sum(axis=0), dense().sum(axis=1, keepdims=True)
    item_to_user = np.divide(dense().T, counts[:, None], out=np.zeros((N_ITEMS, len(lengths))), where=dense().T > 0)
    user_to_item = np.divide(dense(), lengths, out=np.zeros_like(dense()), where=dense() > 0)
    walks = item_to_user**alpha @ user_to_item**alpha if alpha else dense().T @ dense()
    return walks / np.maximum(counts, 1) ** beta


class TestRP3BetaRanker(ClosedFormContract):
    def new(self):
        return RP3BetaRanker(context(), n_neighbors=4, alpha=1.3, beta=0.6)

    def test_it_equals_the_formula(self, ranker):
        assert np.allclose(scores(ranker), known() @ nearest_only(weights(1.3, 0.6), 4), atol=1e-6)


def test_of_all_walks_it_is_the_probability_of_where_they_end():
    ranker = RP3BetaRanker(context(), n_neighbors=N_ITEMS, alpha=1.0, beta=0.0)
    ranker.fit(train())
    walks = weights(1.0, 0.0)
    warm = dense().sum(axis=0) > 0
    assert np.allclose(walks[warm].sum(axis=1), 1)
    np.fill_diagonal(walks, 0)
    assert np.allclose(scores(ranker), known() @ walks, atol=1e-6)


def test_without_powers_it_counts_who_did_both():
    ranker = RP3BetaRanker(context(), n_neighbors=N_ITEMS, alpha=0.0, beta=0.0)
    ranker.fit(train())
    both = dense().T @ dense()
    np.fill_diagonal(both, 0)
    assert np.array_equal(scores(ranker), known() @ both)


@pytest.mark.parametrize(("key", "value"), [("n_neighbors", 0), ("alpha", -1.0), ("beta", -0.1)])
def test_impossible_values_are_refused_by_their_key(key, value):
    with pytest.raises(ConfigError, match=f"ranker.{key}"):
        RP3BetaRanker(context(), **{key: value})
