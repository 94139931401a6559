"""Non-negative matrix factorisation."""

from __future__ import annotations

import warnings

from torch import Tensor

from recsys.rankers.factors import FactorRanker
from recsys.rankers.histories import multi_hot
from recsys.rankers.nonnegative import nonnegative_weights
from recsys.schema import ModelContext, TrainInteractions, UserBatch
from recsys.support.number_checks import check_number, check_whole


class NMFRanker(FactorRanker):
    """score(u, i) = p_u·q_i; P and Q, nowhere negative, minimise ½‖X − PQᵀ‖² + ½λ(‖P‖² + ‖Q‖²).

    Lee and Seung, "Learning the Parts of Objects by Non-negative Matrix Factorization", Nature 1999; by scikit-learn,
    with the coordinate descent of Cichocki and Phan, 2009. p_u is the p ≥ 0 that minimises the same objective for u's
    history, given Q, so that new users are scored like all others.

    Args:
        context: Sizes of the data.
        n_factors: Width of p and q.
        regularization: λ.
        n_iterations: Maximum number of alternations between P and Q.

    Raises:
        ConfigError: If a value is impossible.
    """

    def __init__(
        self,
        context: ModelContext,
        n_factors: int = 64,
        regularization: float = 10.0,
        n_iterations: int = 100,
    ) -> None:
        super().__init__(context, n_factors)
        check_whole("ranker.n_iterations", n_iterations, 1)
        check_number("ranker.regularization", regularization, at_least=0)
        self.n_iterations, self.regularization = n_iterations, regularization

    def fit(self, train: TrainInteractions) -> None:
        from sklearn.decomposition import NMF
        from sklearn.exceptions import ConvergenceWarning

        model = NMF(
            self.item_factors.shape[1],
            alpha_W=self.regularization / train.n_items,  # scikit-learn multiplies it by n_items
            alpha_H=self.regularization / train.n_users,
            max_iter=self.n_iterations,
            random_state=train.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # n_iterations is a setting that is tuned
            model.fit(train.matrix)
        self.store(model.components_.T)

    def user_factors(self, users: UserBatch) -> Tensor:
        factors = self.item_factors.double()
        targets = multi_hot(users, self.n_items).double() @ factors
        return nonnegative_weights(factors.T @ factors, targets, l2=self.regularization).float()
