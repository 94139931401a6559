"""Weighted least squares of many rows at once: half a step of alternating least squares, and fold-in of users."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recsys.schema import RecsysError

ENTRIES_AT_ONCE = 2**12  # vectors that are looked up at once: they and their systems stay in the cache


def solve_rows(lengths: Tensor, columns: Tensor, factors: Tensor, alpha: float, penalties: Tensor) -> Tensor:
    """Vectors p (n, d) that minimise Σ_c w_rc (x_rc − p_r·q_c)² + λ_r‖p_r‖² for each row r of a binary matrix.

    x_rc is 1 and w_rc is α where row r has column c, 0 and 1 elsewhere (Hu, Koren and Volinsky, "Collaborative
    Filtering for Implicit Feedback Datasets", ICDM 2008). Rows of similar length are solved together.

    Args:
        lengths: (n,) number of columns of each row.
        columns: (Σ lengths,) the columns row by row, without repetition in a row.
        factors: (n_columns, d) the vectors q.
        alpha: α.
        penalties: (n,) λ.

    Raises:
        RecsysError: If a system is singular at the factors' precision.

    Example:
        >>> solve_rows(torch.tensor([2, 0]), torch.tensor([0, 1]), torch.ones(2, 1), 3.0, torch.ones(2))  # 6 / (6 + 1)
        tensor([[0.8571],
                [0.0000]])
    """
    spectrum, basis = torch.linalg.eigh(factors.T @ factors)
    rotated = factors @ basis  # in this basis QᵀQ is diagonal
    padded = torch.cat([rotated, rotated.new_zeros(1, rotated.shape[1])])
    diagonals = spectrum.clamp(min=0) + penalties.to(spectrum.dtype).unsqueeze(1)
    starts = lengths.cumsum(0) - lengths
    solutions = torch.empty_like(diagonals)
    for rows in _alike(lengths):
        places = torch.arange(int(lengths[rows[0]]), device=lengths.device)
        absent = places >= lengths[rows].unsqueeze(1)
        chosen = columns[(starts[rows].unsqueeze(1) + places).masked_fill(absent, 0)]
        vectors = padded[chosen.masked_fill(absent, len(factors))]
        solve = _solve_short if 2 * len(places) < factors.shape[1] else _solve_long
        solutions[rows] = solve(vectors, diagonals[rows], alpha)
    return solutions @ basis.T


def _solve_long(vectors: Tensor, diagonals: Tensor, alpha: float) -> Tensor:
    """(D + (α − 1) VᵀV)⁻¹ α Vᵀ1 for each V (R, L, d) and D (R, d)."""
    systems = torch.diag_embed(diagonals).baddbmm_(vectors.mT, vectors, alpha=alpha - 1)
    return _solved(systems, alpha * vectors.sum(dim=1))


def _solve_short(vectors: Tensor, diagonals: Tensor, alpha: float) -> Tensor:
    """The same as α D⁻¹Vᵀ (1 + (α − 1) V D⁻¹Vᵀ)⁻¹ 1, whose systems are (L, L) instead of (d, d)."""
    scaled = vectors / diagonals.unsqueeze(1)
    ones = torch.ones_like(vectors[:, :, 0])
    systems = torch.diag_embed(ones).baddbmm_(scaled, vectors.mT, alpha=alpha - 1)
    return alpha * torch.einsum("rl,rld->rd", _solved(systems, ones), scaled)


def _alike(lengths: Tensor) -> Iterator[Tensor]:
    """Rows in chunks, the longest first."""
    order = lengths.argsort(descending=True, stable=True)
    start = 0
    while start < len(order):
        size = max(1, ENTRIES_AT_ONCE // max(1, int(lengths[order[start]])))
        yield order[start : start + size]
        start += size


def _solved(systems: Tensor, targets: Tensor) -> Tensor:
    triangles, failed = torch.linalg.cholesky_ex(systems)
    if failed.any():
        raise RecsysError("ranker=als: a least-squares system is singular. Raise ranker.regularization.")
    return torch.cholesky_solve(targets.unsqueeze(2), triangles).squeeze(2)
