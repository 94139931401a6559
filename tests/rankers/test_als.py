"""ALS equals implicit, which solves it, and serves users by their history as implicit does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from rankers.ranker_contract import N_ITEMS, N_USERS, context, train
from rankers.test_solved import SolvedContract, known, scores
from scipy.sparse import csr_matrix

from recsys.rankers.als import ALSRanker
from recsys.schema import ConfigError

SETTINGS = {"alpha": 5.0, "regularization": 0.5}


class TestALSRanker(SolvedContract):
    def new(self):
        return ALSRanker(context(), n_factors=3, n_iterations=4, **SETTINGS)

    def test_it_equals_implicit_on_the_same_histories(self, ranker):
        oracle = AlternatingLeastSquares(
            factors=3, iterations=4, random_state=train().seed, use_cg=False, num_threads=1, **SETTINGS
        )
        oracle.fit(csr_matrix(train().matrix), show_progress=False)
        users = oracle.recalculate_user(np.arange(N_USERS), csr_matrix(known()))
        assert np.allclose(scores(ranker), users @ oracle.item_factors.T, atol=1e-5)

    def test_a_user_solves_the_normal_equations(self, ranker):
        items = ranker.item_factors.numpy().astype(float)
        confidence = np.where(known()[2] > 0, SETTINGS["alpha"], 1.0)
        system = items.T @ np.diag(confidence) @ items + SETTINGS["regularization"] * np.eye(3)
        expected = items @ np.linalg.solve(system, items.T @ (confidence * known()[2]))
        assert np.allclose(scores(ranker)[2], expected, atol=1e-5)

    def test_an_item_that_nobody_knows_has_no_factors(self, ranker):
        assert not ranker.item_factors[N_ITEMS - 1].any()

    def test_the_seed_is_that_of_the_initial_factors(self, ranker):
        other = self.new()
        other.solve(replace(train(), seed=8))
        assert not np.allclose(scores(other), scores(ranker), atol=1e-4)
        assert np.array_equal(scores(self.make()), scores(ranker))


@pytest.mark.parametrize("key", ["alpha", "regularization", "n_factors", "n_iterations"])
def test_impossible_values_are_refused_by_their_key(key):
    with pytest.raises(ConfigError, match=f"ranker.{key}"):
        ALSRanker(context(), **{key: 0})


def test_the_missing_library_is_named(monkeypatch):
    monkeypatch.setattr("recsys.rankers.als.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"recsys\[als\]"):
        ALSRanker(context())
