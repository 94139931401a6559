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
from recsys.schema import ConfigError, ModelContext, TrainInteractions


class LightGCNRanker(Ranker, Fittable):
    """score(u, i) = e_u·e_i with e the mean of E, AE, …, AᴷE, where E are learnt vectors of users and items.

    He et al., "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation", SIGIR 2020, equations
    3 to 8: A has 1/√(d_u d_i) for each train interaction of u and i, with d the numbers of interactions. Users and
    items without train interactions have zeros.

    Args:
        context: Sizes of the data.
        dim: Width of the vectors.
        n_layers: K; 0 is matrix factorisation.
        init_std: Standard deviation of the initial vectors; None for Xavier's initialisation, as in the paper.

    Raises:
        ConfigError: If a size is impossible.
    """

    starts: Tensor
    neighbors: Tensor

    def __init__(self, context: ModelContext, dim: int = 64, n_layers: int = 3, init_std: float | None = None) -> None:
        super().__init__()
        if dim < 1 or n_layers < 0:
            raise ConfigError(
                f"ranker.dim is {dim} and ranker.n_layers is {n_layers}; expected 1 or more, and 0 or more."
            )
        self.n_users, self.n_layers = context.n_users, n_layers
        self.users = WarmEmbedding(context.warm_users, dim, init_std or 0.0, context.trains_on_cold)
        self.items = WarmEmbedding(context.warm_items, dim, init_std or 0.0, context.trains_on_cold)
        if init_std is None:
            for embedding in (self.users, self.items):
                nn.init.xavier_uniform_(embedding.weight)
        # The graph as compressed rows, users before items: whose neighbours stand from which place on.
        self.register_buffer("starts", torch.zeros(context.n_users + context.n_items + 1, dtype=torch.int64))
        self.register_buffer("neighbors", torch.zeros(2 * int(context.item_counts.sum()), dtype=torch.int64))
        self._graph: tuple[tuple[Any, ...], _Adjacency] | None = None  # A, and the buffers that it was made of
        self._kept: tuple[_Adjacency, Tensor, tuple[Tensor, Tensor]] | None = None  # A, E and what is made of them

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
        adjacency, vectors = self._adjacency(), torch.cat([self.users.table(), self.items.table()])
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
        return mean[: self.n_users], mean[self.n_users :]

    def _adjacency(self) -> _Adjacency:
        """A, made once for each graph."""
        if self.starts.is_inference() or self.neighbors.is_inference():  # which do not record whether they have changed
            return self._new_adjacency()
        marks = [(part.data_ptr(), part._version) for part in (self.starts, self.neighbors)]
        made_of = (*marks, self.users.weight.dtype)
        if self._graph is None or self._graph[0] != made_of:
            self._graph = (made_of, self._new_adjacency())
        return self._graph[1]

    def _new_adjacency(self) -> _Adjacency:
        degrees = self.starts.diff()
        scale = degrees.clamp(min=1).to(self.users.weight.dtype).rsqrt()
        columns = self.neighbors[: int(self.starts[-1])]  # fewer than there is room for, where pairs occur twice
        values = torch.repeat_interleave(scale, degrees) * take_rows(scale, columns)
        return _Adjacency(self.starts[:-1], columns, values)

    def _chosen(self, of_users: Tensor, users: UserSide) -> Tensor:
        idx = users.batch.idx
        return take_rows(of_users, idx.clamp(min=0)) * (idx >= 0).unsqueeze(-1)


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
