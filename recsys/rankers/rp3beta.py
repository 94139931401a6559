"""Random walks of three steps between users and items, with popular items penalised."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recsys.rankers.item_item import ItemItemRanker
from recsys.rankers.similarity import inverse_power, nearest, product_blocks
from recsys.schema import ModelContext, TrainInteractions
from recsys.support.number_checks import check_number


class RP3BetaRanker(ItemItemRanker):
    """score(u, i) = Σ_j w_ji over u's history, w_ji = Σ_v d_j^(−α) d_v^(−α) d_i^(−β) over the users v of both j and i.

    Paudel, Christoffel, Newell and Bernstein, "Updatable, Accurate, Diverse, and Scalable Recommendations for
    Interactive Applications", ACM TiiS 2016: the probability that a walk from u by an item and a user ends at i, with
    each step's probability to the power of α (P3α, Cooper et al. 2014), divided by the popularity of i to the power of
    β. d counts train interactions. The probability of the first step is equal for all items of u's history and omitted.

    Args:
        context: Sizes of the data.
        n_neighbors: Number of largest w_ji that are kept for each item j; all if the catalogue has fewer items.
        alpha: α, the power of a step's probability.
        beta: β, the power of the popularity that the score is divided by; 0 for P3α.

    Raises:
        ConfigError: If a value is impossible.
    """

    def __init__(self, context: ModelContext, n_neighbors: int = 100, alpha: float = 1.0, beta: float = 0.2) -> None:
        super().__init__(context.n_items, n_neighbors)
        check_number("ranker.alpha", alpha, at_least=0)
        check_number("ranker.beta", beta, at_least=0)
        self.alpha, self.beta = alpha, beta

    def fitted_weights(self, train: TrainInteractions) -> csr_matrix:
        of_users, of_items = np.diff(train.matrix.indptr), train.matrix.sum(axis=0).A1
        to_users = diags_array(inverse_power(of_items, self.alpha)) @ train.matrix.T
        to_items = diags_array(inverse_power(of_users, self.alpha)) @ train.matrix
        ends = diags_array(inverse_power(of_items, self.beta))
        return nearest(product_blocks(to_users, to_items @ ends), self.n_neighbors)
