"""Generative retrieval: a model generates the semantic ID of the next item, code by code."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.layers.code_transformer import CodeTransformer
from recsys.layers.code_trie import CodeTrie
from recsys.layers.lookup import take_rows
from recsys.layers.post_processing import Transformable
from recsys.layers.semantic_codes import CodeChecksum, SemanticCodes, with_extra_code
from recsys.rankers.base import OwnItems, Ranker, SequenceReader, SharedItems, UserSide
from recsys.schema import ConfigError, ModelContext, UserBatch
from recsys.support.number_checks import check_number, check_whole

NUMBERS_AT_ONCE = 16_000_000  # activations of the decoder's widest layer in memory, in an evaluation


class GenerativeRanker(Ranker, SequenceReader):
    """score(u, i) = Σ over levels l of log p(code l of i | its codes before l, the codes of u's history).

    Rajput et al., "Recommender Systems with Generative Retrieval", NeurIPS 2023 (TIGER). An encoder encodes the codes
    of the history, a decoder predicts those of the next item; `loss=likelihood` is the cross-entropy. Items with equal
    codes get a further code that distinguishes them. Differences from the paper: codes that continue no item's prefix
    are left out of the softmax, so the probabilities of the catalogue add up to 1; the encoder is causal, and the
    decoder reads a prefix as a sum of vectors in place of self-attention.

    In training the softmax has the codes of train items, in evaluation those of all items. The catalogue is scored
    level by level over the trie of its codes, so that a prefix is computed once for all items that share it. With
    `n_beams`, only the most likely prefixes of each level are continued; items outside the beam come last, by the
    likelihood of their longest prefix. Given pairs of users and items are always scored exactly.

    Args:
        context: Sizes of the data.
        text: The encoder's vectors, which are quantised to the codes.
        codes: Quantisation of the vectors.
        dim: Width of the model.
        n_layers: Layers of the encoder, and of the decoder.
        n_heads: Number of heads; must divide `dim`.
        dropout: Dropout rate, in training.
        max_positions: Number of items of a history with a position embedding of their own.
        n_beams: Prefixes that are continued at each level; None for all, which is exact.

    Raises:
        ConfigError: If a value is impossible, or there are no text vectors.
    """

    reads_history = True

    def __init__(
        self,
        context: ModelContext,
        text: Transformable,
        codes: SemanticCodes,
        dim: int = 64,
        n_layers: int = 2,
        n_heads: int = 2,
        dropout: float = 0.1,
        max_positions: int = 200,
        n_beams: int | None = None,
    ) -> None:
        super().__init__()
        sizes = {"dim": dim, "n_layers": n_layers, "n_heads": n_heads, "max_positions": max_positions}
        for key, size in sizes.items():
            check_whole(f"ranker.{key}", size, 1)
        check_number("ranker.dropout", dropout, at_least=0, below=1)
        check_whole("ranker.n_beams", n_beams, 1, optional=True)
        if dim % n_heads:
            raise ConfigError(f"ranker.n_heads is {n_heads}; expected a divisor of ranker.dim, which is {dim}.")
        of_items = codes.fit(text.vectors, context.warm_items).codes
        self.checksum = CodeChecksum(of_items, context.warm_items)
        self.trie = CodeTrie(with_extra_code(of_items, context.warm_items), context.warm_items)
        self.model = CodeTransformer(self.trie.sizes, dim, n_layers, n_heads, dropout, max_positions)
        self.trains_on_cold = context.trains_on_cold
        self.n_beams = None if n_beams is None or n_beams >= max(self.trie.n_nodes[:-1]) else n_beams
        self.widest = 4 * dim

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        if users.batch.positions is not None:
            return self._score_at_positions(users.batch, items.idx)
        at_once = max(1, NUMBERS_AT_ONCE // (self.widest * self.trie.depth * max(1, items.idx.shape[1])))
        if self.training:
            at_once = max(1, len(items.idx))
        chunks = zip(users.batch.split(at_once), items.idx.split(at_once), strict=True)
        return torch.cat([self._score_pairs(*self._read(batch), None, idx) for batch, idx in chunks])

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        widest = max(self.trie.n_nodes[:-1]) if self.n_beams is None else self.n_beams
        at_once = max(1, NUMBERS_AT_ONCE // (self.widest * widest))
        scores = torch.cat([self._score_all(batch) for batch in users.batch.split(at_once)])
        return scores.index_select(1, items.idx)

    def _read(self, users: UserBatch) -> tuple[Tensor, Tensor]:
        """The encoded histories (B, S, dim), and which entries (B, S) are padding."""
        order = torch.argsort(~users.history_mask, dim=1, stable=True)  # items first, in their order
        memory = self.model.encode(self.trie.codes[users.history.gather(1, order)])
        n_read = 1 + self.trie.depth * users.history_mask.sum(dim=1, keepdim=True)
        return memory, torch.arange(memory.shape[1], device=memory.device) >= n_read

    def _score_at_positions(self, users: UserBatch, idx: Tensor) -> Tensor:
        """Scores (B, N) for positions in shared histories: all positions of a history (H, L) are decoded at once."""
        assert users.positions is not None
        shape, depth = users.history.shape, self.trie.depth
        own = idx.new_zeros(*shape, idx.shape[1])
        own[users.positions.row, users.positions.position] = idx
        memory = self.model.encode(self.trie.codes[users.history])
        place = torch.arange(shape[1], device=idx.device).repeat_interleave(idx.shape[1] * depth)
        hidden = torch.arange(memory.shape[1], device=idx.device) > (depth * place).unsqueeze(1)
        scores = self._score_pairs(memory, None, hidden, own.flatten(1)).view(own.shape)
        return scores[users.positions.row, users.positions.position]

    def _score_pairs(self, memory: Tensor, padding: Tensor | None, hidden: Tensor | None, idx: Tensor) -> Tensor:
        """Scores (B, N) of items (B, N) after encoded histories (B, S, dim)."""
        codes, nodes = take_rows(self.trie.codes, idx), take_rows(self.trie.nodes, idx)
        prefixes = self.model.prefixes(codes)
        states = self.model.decode(prefixes.flatten(1, 2), memory, padding, hidden).view(prefixes.shape)
        steps = [
            self._log_probabilities(states[:, :, level], level, nodes[..., level])
            .gather(-1, codes[..., level : level + 1])
            .squeeze(-1)
            for level in range(self.trie.depth)
        ]
        return torch.stack(steps).sum(dim=0)

    def _log_probabilities(self, states: Tensor, level: int, nodes: Tensor) -> Tensor:
        """Log probabilities (*, size) of the codes that follow nodes (*), for states (*, dim); −∞ for others."""
        allowed = take_rows(self.trie.allowed(level, self.training and not self.trains_on_cold), nodes)
        # A node without an allowed code, such as that of padding in training, gets a distribution over all codes.
        allowed = allowed | ~allowed.any(dim=-1, keepdim=True)
        return self.model.logits(states, level).masked_fill(~allowed, -torch.inf).log_softmax(dim=-1)

    def _score_all(self, users: UserBatch) -> Tensor:
        """Scores (B, n_items)."""
        memory, padding = self._read(users)
        bound = memory.new_zeros(len(memory), 1)  # log probabilities of the prefixes of a level, or upper bounds
        reached = torch.ones_like(bound, dtype=torch.bool)  # where they are exact
        for level in range(self.trie.depth):
            nodes, reached = self._continued(level, bound, reached)
            prefixes = self.model.prefixes(self.trie.codes[self.trie.examples(level)])[:, level]
            states = self.model.decode(take_rows(prefixes, nodes), memory, padding, None)
            values = bound.gather(1, nodes).unsqueeze(-1) + self._log_probabilities(states, level, nodes)
            bound = self._children(level, bound, nodes, values)
            reached = reached[:, self.trie.parents(level)]
        lowest = bound.masked_fill(~reached, torch.inf).amin(dim=1, keepdim=True)
        scores = torch.where(reached, bound, lowest - 1 + bound)
        return scores.index_select(1, self.trie.nodes[:, -1])

    def _continued(self, level: int, bound: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
        """The nodes (B, K) of a level whose codes are predicted, and which nodes (B, n) are continued exactly."""
        if self.n_beams is None:  # the only child of a node has its node's probability
            return self.trie.branching(level).expand(len(bound), -1), reached
        n = min(self.n_beams, bound.shape[1])
        nodes = bound.masked_fill(~reached, -torch.inf).topk(n, dim=1).indices
        kept = torch.zeros_like(reached).scatter(1, nodes, True)
        return nodes, kept & reached

    def _children(self, level: int, bound: Tensor, nodes: Tensor, values: Tensor) -> Tensor:
        """Log probabilities (B, n) of the next level's nodes: `values` (B, K, size) below `nodes` (B, K), or bounds."""
        children = take_rows(self.trie.child_table(level), nodes).flatten(1)
        passed = bound[:, self.trie.parents(level)]
        target = children.masked_fill(children < 0, passed.shape[1])  # an extra column, which is dropped
        further = passed.new_zeros(len(passed), 1)
        return torch.cat([passed, further], dim=1).scatter(1, target, values.flatten(1))[:, :-1]
