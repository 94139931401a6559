"""The trie of the code sequences that items have."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.semantic_codes import prefix_rows


class CodeTrie(nn.Module):
    """All prefixes of the items' codes, level by level. The nodes of level l are the prefixes of l codes.

    Args:
        codes: (n_items, D) int64, different for any two items.
        train_items: (n_items,) bool.

    Attributes:
        codes: The codes.
        sizes: Number of codes at each level, (D,).
        nodes: (n_items, D + 1) the node of each item's prefix of 0 … D codes; the last ones are the leaves.
        n_nodes: Number of nodes at each level, (D + 1,).
    """

    codes: Tensor
    nodes: Tensor

    def __init__(self, codes: Tensor, train_items: Tensor) -> None:
        super().__init__()
        nodes = torch.cat([torch.zeros(len(codes), 1, dtype=torch.int64), prefix_rows(codes)], dim=1)
        self.sizes = [int(size) + 1 for size in codes.amax(dim=0)]
        self.n_nodes = [int(n) + 1 for n in nodes.amax(dim=0)]
        self.register_buffer("codes", codes, persistent=False)
        self.register_buffer("nodes", nodes, persistent=False)
        for level, size in enumerate(self.sizes):
            parents, code, children = nodes[:, level], codes[:, level], nodes[:, level + 1]
            child = torch.full((self.n_nodes[level], size), -1)
            child[parents, code] = children
            of_train = torch.zeros_like(child, dtype=torch.bool)
            of_train[parents[train_items], code[train_items]] = True
            parent = torch.empty(self.n_nodes[level + 1], dtype=torch.int64)
            parent[children] = parents
            example = torch.empty(self.n_nodes[level], dtype=torch.int64)
            example[parents] = torch.arange(len(codes))
            branching = (child >= 0).sum(dim=1).gt(1).nonzero().squeeze(1)
            tables = {"child": child, "of_train": of_train, "parent": parent, "item": example, "branching": branching}
            for name, table in tables.items():
                self.register_buffer(f"{name}_{level}", table, persistent=False)

    @property
    def depth(self) -> int:
        """The number D of codes of an item."""
        return len(self.sizes)

    def child_table(self, level: int) -> Tensor:
        """(n, size) the child of each node of a level for each code; −1 if there is none."""
        return self.get_buffer(f"child_{level}")

    def allowed(self, level: int, train_only: bool) -> Tensor:
        """(n, size) bool, which codes follow each node of a level: those of all items, or of train items only."""
        return self.get_buffer(f"of_train_{level}") if train_only else self.child_table(level) >= 0

    def parents(self, level: int) -> Tensor:
        """The node of `level` above each node of the next level."""
        return self.get_buffer(f"parent_{level}")

    def branching(self, level: int) -> Tensor:
        """The nodes of a level that have several children."""
        return self.get_buffer(f"branching_{level}")

    def examples(self, level: int) -> Tensor:
        """An item below each node of a level."""
        return self.get_buffer(f"item_{level}")
