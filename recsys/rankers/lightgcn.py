"""LightGCN: learnt IDs, each averaged with those of its neighbours in the graph of train interactions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import block_array, csr_array
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recsys.layers.embedding import WarmEmbedding
from recsys.layers.lookup import bag_sums, row_products, take_rows
from recsys.rankers.base import Fittable, OwnItems, Ranker, SharedItems, UserSide
from recsys.rankers.text_nodes import MEAN, ItemTextVectors, TextNodes
from recsys.schema import ModelContext, TrainInteractions
from recsys.support.number_checks import check_number, check_whole


class LightGCNRanker(Ranker, Fittable):
    """score(u, i) = e_u·e_i with e the mean of E, AE, …, AᴷE, where E are learnt vectors of users and items.

    He et al., "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation", SIGIR 2020, equations
    3 to 8: A has 1/√(d_u d_i) for each train interaction of u and i, with d the numbers of interactions. Users and
    items without train interactions have zeros.

    With a text encoder, the items' rows of E are their mapped text vectors, added to the IDs or in their place. Users
    may have the map of the mean text vector of their train items in place of IDs. With no IDs, two layers, cosines and
    `loss=infonce` it is AlphaRec (Sheng et al., "Language Representations Can be What Recommenders Need: Findings and
    Potentials", ICLR 2025). Items without train interactions then have their mapped text.

    Args:
        context: Sizes of the data.
        vectors: The encoder's vectors of the items; None for learnt IDs only.
        dim: Width of the vectors.
        n_layers: K; 0 is matrix factorisation.
        init_std: Standard deviation of the initial vectors; None for Xavier's initialisation, as in the paper.
        cosine: Whether the score is the cosine of both vectors in place of their product.
        text: How text vectors are used; None for the defaults.

    Raises:
        ConfigError: If a value is impossible, or `text` needs an encoder and there is none.
    """

    reads_user = True
    starts: Tensor
    neighbors: Tensor

    def __init__(
        self,
        context: ModelContext,
        vectors: ItemTextVectors | None = None,
        dim: int = 64,
        n_layers: int = 3,
        init_std: float | None = None,
        cosine: bool = False,
        text: TextNodes | None = None,
    ) -> None:
        super().__init__()
        check_whole("ranker.dim", dim, 1)
        check_whole("ranker.n_layers", n_layers, 0)
        check_number("ranker.init_std", init_std, at_least=0, optional=True)
        self.n_users, self.n_layers, self.cosine = context.n_users, n_layers, cosine
        nodes = text or TextNodes()
        self.vectors = vectors if vectors is not None and vectors.dim > 0 else None
        nodes.check(self.vectors is not None)
        self.users = None if nodes.users == MEAN else _ids(context.warm_users, dim, init_std, context)
        self.items = _ids(context.warm_items, dim, init_std, context) if nodes.item_ids else None
        for embedding in (self.users, self.items):  # after both were made, so that runs keep their random numbers
            if embedding is not None and init_std is None:
                nn.init.xavier_uniform_(embedding.weight)
        self.map: nn.Module | None = None
        if self.vectors is not None:
            nodes.prepare(self.vectors, context)
            self.map = nodes.map(self.vectors.dim, dim)
        # The graph as compressed sparse rows, users before items.
        self.register_buffer("starts", torch.zeros(context.n_users + context.n_items + 1, dtype=torch.int64))
        self.register_buffer("neighbors", torch.zeros(2 * int(context.item_counts.sum()), dtype=torch.int64))
        self._graph: tuple[tuple[Any, ...], _Adjacency] | None = None  # versions of the buffers, and A made of them
        self._means: tuple[_Adjacency, Tensor] | None = None  # A, and the users' mean texts
        self._kept: tuple[_Adjacency, Tensor, tuple[Tensor, Tensor]] | None = None  # A, E and the propagated vectors

    def fit(self, train: TrainInteractions) -> None:
        of_users = csr_array(train.matrix)
        graph = block_array([[None, of_users], [of_users.T, None]], format="csr")
        graph.sort_indices()
        self.starts = torch.from_numpy(graph.indptr.astype(np.int64))
        self.neighbors.zero_()[: graph.nnz] = torch.from_numpy(graph.indices.astype(np.int64))

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        of_users, of_items = self.propagated()
        return row_products(self._chosen(of_users, users), of_items, items.idx)

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        of_users, of_items = self.propagated()
        return self._chosen(of_users, users) @ take_rows(of_items, items.idx).T

    def propagated(self) -> tuple[Tensor, Tensor]:
        """Vectors (n_users, dim) of all users and (n_items, dim) of all items, after all layers.

        Without gradients, as in an evaluation, they are kept until the weights change.
        """
        adjacency = self._adjacency()
        vectors = torch.cat([self._first_of_users(adjacency), self._first_of_items()])
        if torch.is_grad_enabled():
            return self._propagate(adjacency, vectors)
        # The weights themselves are compared: a fused optimizer does not count its steps as their versions.
        if self._kept is None or self._kept[0] is not adjacency or not torch.equal(self._kept[1], vectors):
            self._kept = (adjacency, vectors, self._propagate(adjacency, vectors))
        return self._kept[2]

    def _propagate(self, adjacency: _Adjacency, vectors: Tensor) -> tuple[Tensor, Tensor]:
        total = vectors
        for _ in range(self.n_layers):
            vectors = _Propagation.apply(adjacency, vectors)
            total = total + vectors
        mean = total / (self.n_layers + 1)
        mean = nn.functional.normalize(mean, dim=-1) if self.cosine else mean
        return mean[: self.n_users], mean[self.n_users :]

    def _first_of_items(self) -> Tensor:
        ids = None if self.items is None else self.items.table()
        if self.map is None or self.vectors is None:
            assert ids is not None, "items have IDs or texts, as the constructor checked"
            return ids
        text: Tensor = self.map(self.vectors.catalogue())
        return text if ids is None else ids + text

    def _first_of_users(self, adjacency: _Adjacency) -> Tensor:
        if self.users is not None:
            return self.users.table()
        assert self.map is not None, "users are IDs or texts, as the constructor checked"
        if self._means is None or self._means[0] is not adjacency:
            self._means = (adjacency, self._mean_texts(adjacency))
        has_items = self.starts.diff()[: self.n_users] > 0
        first: Tensor = self.map(self._means[1]) * has_items.unsqueeze(1)
        return first

    @torch.inference_mode(False)
    @torch.no_grad()
    def _mean_texts(self, adjacency: _Adjacency) -> Tensor:
        """(n_users, text_dim) the mean text vector of each user's train items; zeros for a user without any."""
        assert self.vectors is not None, "users are IDs or texts, as the constructor checked"
        degrees = self.starts.diff()[: self.n_users]
        columns = adjacency.columns[: int(self.starts[self.n_users])] - self.n_users
        share = degrees.clamp(min=1).to(self.vectors.vectors.dtype).reciprocal()
        weights = torch.repeat_interleave(share, degrees)
        return bag_sums(weights, self.vectors.catalogue(), columns, adjacency.starts[: self.n_users])

    def _adjacency(self) -> _Adjacency:
        """A, computed once for each graph."""
        if self.starts.is_inference() or self.neighbors.is_inference():  # inference tensors have no version counter
            return self._new_adjacency()
        marks = [(part.data_ptr(), part._version) for part in (self.starts, self.neighbors)]
        made_of = (*marks, self._dtype)
        if self._graph is None or self._graph[0] != made_of:
            self._graph = (made_of, self._new_adjacency())
        return self._graph[1]

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def _new_adjacency(self) -> _Adjacency:
        degrees = self.starts.diff()
        scale = degrees.clamp(min=1).to(self._dtype).rsqrt()
        columns = self.neighbors[: int(self.starts[-1])]  # fewer than the buffer holds if pairs occur twice
        values = torch.repeat_interleave(scale, degrees) * take_rows(scale, columns)
        return _Adjacency(self.starts[:-1], columns, values)

    def _chosen(self, of_users: Tensor, users: UserSide) -> Tensor:
        idx = users.batch.idx
        return take_rows(of_users, idx.clamp(min=0)) * (idx >= 0).unsqueeze(-1)


def _ids(warm: Tensor, dim: int, init_std: float | None, context: ModelContext) -> WarmEmbedding:
    return WarmEmbedding(warm, dim, init_std or 0.0, context.trains_on_cold)


class _Adjacency(NamedTuple):
    """A symmetric matrix as compressed rows: where each row starts, its columns and its values."""

    starts: Tensor
    columns: Tensor
    values: Tensor


class _Propagation(torch.autograd.Function):
    """A·vectors for a symmetric A that is not learnt: its gradient is A times that of the result."""

    @staticmethod
    def forward(ctx: Any, adjacency: _Adjacency, vectors: Tensor) -> Tensor:
        ctx.adjacency = adjacency
        return bag_sums(adjacency.values, vectors.detach(), adjacency.columns, adjacency.starts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        starts, columns, values = ctx.adjacency
        return None, bag_sums(values, gradient.contiguous(), columns, starts)
