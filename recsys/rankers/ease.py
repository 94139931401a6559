"""EASE: a linear model of items on items, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.layers.post_processing import PostProcessing
from recsys.rankers.base import Explainable, Fittable
from recsys.rankers.histories import HistoryRanker, multi_hot
from recsys.rankers.item_text import processed_texts
from recsys.schema import ModelContext, TrainInteractions, UserBatch
from recsys.support.number_checks import check_number


class EASERanker(HistoryRanker, Fittable, Explainable):
    """score(u, i) = Σ B_ji over the items j of u's history; B minimises ‖X − XB‖² + λ‖B‖² with a diagonal of zeros.

    Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019: P = (G + λI)⁻¹ and B_ij = −P_ij / P_jj with
    the Gram matrix G = XᵀX. With a text encoder the texts are reconstructed as well, by the same B (Jeunen, Van Balen
    and Goethals, "Closed-Form Models for Collaborative Filtering with Side-Information", RecSys 2020, collective EASE):
    α‖T − TB‖² is added, so that G = XᵀX + αTᵀT, where the columns of T are the items' post-processed vectors. Items
    without train interactions are then scored by their text.
    For n items it inverts a dense matrix of 8·n² bytes and keeps one of 4·n²: 3.2 GB and 1.6 GB for 20,000 items.

    Args:
        context: Sizes of the data.
        regularization: λ.
        text_weight: α, for vectors whose mean squared length is 1; ignored without a text encoder.
        vectors: Post-processing of the text vectors, which are centred first; None for centring alone.

    Raises:
        ConfigError: If λ is not positive or α is negative.
    """

    weights: Tensor

    def __init__(
        self,
        context: ModelContext,
        regularization: float = 250.0,
        text_weight: float = 100.0,
        vectors: PostProcessing | None = None,
    ) -> None:
        super().__init__(context.n_items)
        check_number("ranker.regularization", regularization, above=0)
        check_number("ranker.text_weight", text_weight, at_least=0)
        self.regularization, self.text_weight = regularization, text_weight
        self.vectors = vectors or PostProcessing()
        self.register_buffer("weights", torch.zeros(context.n_items, context.n_items))

    def fit(self, train: TrainInteractions) -> None:
        known = torch.from_numpy(train.matrix.getnnz(axis=0) > 0)  # all others have rows and columns of zeros in B
        texts = processed_texts(train, self.vectors).double() if train.has_text else None
        if texts is not None and self.text_weight > 0:
            known |= texts.any(dim=1)
        (places,) = known.nonzero(as_tuple=True)
        matrix = train.matrix[:, places.numpy()]
        gram = torch.from_numpy((matrix.T @ matrix).toarray())
        if texts is not None:
            gram.addmm_(texts[places], texts[places].T, alpha=self.text_weight)
        gram.diagonal().add_(self.regularization)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        solution = inverse / -inverse.diagonal()
        solution.fill_diagonal_(0.0)
        self.weights.zero_()[places.unsqueeze(1), places] = solution.float()

    def item_weights(self, history: Tensor, items: Tensor) -> Tensor:
        return self.weights[history.unsqueeze(2), items.unsqueeze(1)]

    def score_histories(self, users: UserBatch) -> Tensor:
        return multi_hot(users, self.n_items) @ self.weights
