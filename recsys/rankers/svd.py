"""PureSVD: the best low-rank approximation of the interaction matrix."""

from __future__ import annotations

from torch import Tensor

from recsys.rankers.factors import FactorRanker
from recsys.rankers.histories import multi_hot
from recsys.schema import ModelContext, TrainInteractions, UserBatch
from recsys.support.decomposition import first_singular_vectors

ROUNDING = 1e-7  # of the largest singular value: smaller ones count as 0, since their vectors are arbitrary


class SVDRanker(FactorRanker):
    """score(u, i) = x_u·Q·q_i for the history x_u, with Q the first right singular vectors of the train part.

    Cremonesi, Koren and Turrin, "Performance of Recommender Algorithms on Top-N Recommendation Tasks", RecSys 2010,
    equation 9: pairs without an interaction are zeros, and p_u = x_u·Q is computed from the history alone. The
    decomposition is exact and depends neither on the run's seed nor on the number of threads.

    Args:
        context: Sizes of the data.
        n_factors: Number of singular vectors.

    Raises:
        ConfigError: If `n_factors` is not positive.
    """

    def __init__(self, context: ModelContext, n_factors: int = 32) -> None:
        super().__init__(context, n_factors)
        self.n_factors = n_factors

    def fit(self, train: TrainInteractions) -> None:
        values, vectors = first_singular_vectors(train.matrix, self.n_factors)
        self.store(vectors[values > ROUNDING * values[0]].T)

    def user_factors(self, users: UserBatch) -> Tensor:
        return multi_hot(users, self.n_items) @ self.item_factors
