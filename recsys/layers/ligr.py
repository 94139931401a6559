"""The LiGR layer: a transformer layer whose residual branches pass through learnt gates."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from recsys.layers.causal_attention import CausalAttention


class SwiGLU(nn.Module):
    """The feed-forward block W₃(SiLU(W₁x) ⊙ W₂x) without biases.

    Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202.

    Args:
        dim: Width of input and output.
        inner_dim: Width between both.
        dropout: Dropout rate of the inner vector in training.
    """

    def __init__(self, dim: int, inner_dim: int, dropout: float) -> None:
        super().__init__()
        self.project_in = nn.Linear(dim, 2 * inner_dim, bias=False)
        self.project_out = nn.Linear(inner_dim, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor) -> Tensor:
        """Outputs (*, dim) for vectors (*, dim)."""
        gate, value = self.project_in(vectors).chunk(2, dim=-1)
        output: Tensor = self.project_out(self.dropout(functional.silu(gate) * value))
        return output


class LiGRLayer(nn.Module):
    """x + σ(Gx) ⊙ f(LayerNorm(x)), with causal attention for f, then the same with a SwiGLU block.

    Borisyuk et al., "From Features to Transformers: Redefining Ranking for Scalable Impact", arXiv 2502.03417.

    Args:
        dim: Width of the vectors.
        n_heads: Attention heads; must divide `dim`.
        dropout: Dropout rate in training.
    """

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.feed_forward = CausalAttention(dim, n_heads, dropout), SwiGLU(dim, 4 * dim, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.gates = nn.ModuleList(nn.Linear(dim, dim) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor) -> Tensor:
        """Outputs (B, L, dim) for vectors (B, L, dim), oldest first."""
        for block, norm, gate in zip((self.attention, self.feed_forward), self.norms, self.gates, strict=True):
            vectors = vectors + gate(vectors).sigmoid() * self.dropout(block(norm(vectors)))
        return vectors
