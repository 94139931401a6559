"""ALS equals implicit, and serves users by their history as implicit does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from implicit.cpu.als import AlternatingLeastSquares
from rankers.test_closed_form import ClosedFormContract, dense, known, scores
from scipy.sparse import csr_matrix

from recsys.rankers import least_squares
from recsys.rankers.als import ALSRanker
from recsys.rankers.least_squares import solve_rows
from recsys.schema import ConfigError, RecsysError
from recsys.testing.ranker_contract import N_ITEMS, N_USERS, context, train

SETTINGS = {"alpha": 5.0, "regularization": 0.5}


class TestALSRanker(ClosedFormContract):
    def new(self):
        return ALSRanker(context(), n_factors=3, n_iterations=4, frequency_scaling=0.0, **SETTINGS)

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
        other.fit(replace(train(), seed=8))
        assert not np.allclose(scores(other), scores(ranker), atol=1e-4)
        assert np.array_equal(scores(self.make()), scores(ranker))


class TestALSRankerScaledByFrequency(ClosedFormContract):
    """λ = λ·((α·n + N)/mean)^ν for a row of n interactions among N: every half-step is solved one row at a time."""

    def new(self):
        counts = torch.from_numpy(dense().sum(axis=0).astype(int))
        of_data = replace(context(), item_counts=counts)
        return ALSRanker(of_data, n_factors=3, n_iterations=4, frequency_scaling=0.8, **SETTINGS)

    def test_it_alternates_between_the_normal_equations(self, ranker):
        generator = np.random.default_rng(train().seed)
        users, items = (generator.random((n, 3), dtype=np.float32) * 0.01 for n in (N_USERS, N_ITEMS))
        for _ in range(4):
            users = solutions(dense(), items, penalties(dense(), dense()))
            items = solutions(dense().T, users, penalties(dense().T, dense().T))
        assert np.allclose(ranker.item_factors.numpy(), items, atol=1e-4)
        served = solutions(known(), items, penalties(known(), dense()))
        assert np.allclose(scores(ranker), served @ items.T, atol=1e-4)

    def test_the_scaling_moves_the_scores(self, ranker):
        ranker.frequency_scaling = 0.0
        ranker.fit(train())
        assert not np.allclose(scores(ranker), scores(self.make()), atol=1e-3)


def penalties(rows: np.ndarray, train_rows: np.ndarray) -> np.ndarray:
    weights, train_weights = (SETTINGS["alpha"] * each.sum(axis=1) + each.shape[1] for each in (rows, train_rows))
    return SETTINGS["regularization"] * (weights / train_weights.mean()) ** 0.8


def solutions(rows: np.ndarray, factors: np.ndarray, regularization: np.ndarray) -> np.ndarray:
    solved = []
    for row, penalty in zip(rows, regularization, strict=True):
        confidence = np.where(row > 0, SETTINGS["alpha"], 1.0)
        system = factors.T @ np.diag(confidence) @ factors + penalty * np.eye(factors.shape[1])
        solved.append(np.linalg.solve(system, factors.T @ (confidence * row)))
    return np.array(solved)


@pytest.mark.parametrize("key", ["alpha", "regularization", "n_factors", "n_iterations"])
def test_impossible_values_are_refused_by_their_key(key):
    with pytest.raises(ConfigError, match=f"ranker.{key}"):
        ALSRanker(context(), **{key: 0})
    with pytest.raises(ConfigError, match=r"ranker\.frequency_scaling"):
        ALSRanker(context(), frequency_scaling=-0.5)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 5.0])
def test_rows_of_any_length_solve_the_normal_equations_in_chunks_of_any_size(alpha, monkeypatch):
    generator = torch.Generator().manual_seed(5)
    hot = torch.rand(20, 30, generator=generator) < torch.linspace(0, 0.9, 20).unsqueeze(1)  # both short and long
    factors = torch.randn(30, 12, generator=generator, dtype=torch.float64)
    penalties = torch.linspace(0.5, 2, 20)
    together = solve_rows(hot.sum(dim=1), hot.nonzero()[:, 1], factors, alpha, penalties)
    monkeypatch.setattr(least_squares, "ENTRIES_AT_ONCE", 1)
    alone = solve_rows(hot.sum(dim=1), hot.nonzero()[:, 1], factors, alpha, penalties)
    confidence = torch.where(hot, alpha, 1.0).double()
    for row, solution in enumerate(together):
        system = factors.T @ confidence[row].diag() @ factors + penalties[row] * torch.eye(12)
        assert torch.allclose(system @ solution, factors.T @ (confidence[row] * hot[row]))
    assert torch.allclose(together, alone)


def test_a_system_without_a_single_solution_is_refused():
    with pytest.raises(RecsysError, match=r"Raise ranker\.regularization"):
        solve_rows(torch.tensor([1]), torch.tensor([0]), torch.zeros(3, 2), 5.0, torch.zeros(1))
