"""Non-negative least squares for many targets at once."""

from __future__ import annotations

import torch
from torch import Tensor


def nonnegative_weights(
    gram: Tensor, targets: Tensor, l1: float = 0.0, l2: float = 0.0, tolerance: float = 1e-5, max_sweeps: int = 200
) -> Tensor:
    """The w ≥ 0 (B, k) that minimise ½wᵀGw − wᵀt + l1·Σw + ½·l2·‖w‖² in each row, by coordinate descent.

    With G = AᵀA and t = Aᵀb, that is the elastic net ½‖b − Aw‖² + l1·‖w‖₁ + ½·l2·‖w‖² (Friedman, Hastie and Tibshirani,
    "Regularization Paths for Generalized Linear Models via Coordinate Descent", 2010). Rows are updated together, but
    each has its own convergence test, so that a row's result does not depend on other rows.

    Args:
        gram: G, (k, k) for all rows or (B, k, k) with one for each row.
        targets: t, (B, k).
        l1: Weight of the sum.
        l2: Weight of the squares.
        tolerance: A row has converged if none of its weights changes by more in a sweep over all k.
        max_sweeps: Maximum number of sweeps.

    Example:
        >>> nonnegative_weights(torch.eye(2), torch.tensor([[3.0, -1.0]]), l1=1.0, l2=1.0)
        tensor([[1., 0.]])
    """
    penalty = l2 * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    columns = (gram + penalty).movedim(-2, 0).unbind()
    # A weight with a zero row in G has a slope of 0 or more, so it stays 0 whatever its slope is divided by.
    curvatures = [column[..., place].clamp(min=torch.finfo(gram.dtype).tiny) for place, column in enumerate(columns)]
    slopes = l1 - targets
    weights, moving = torch.zeros_like(targets), torch.ones_like(targets[:, 0])
    for _ in range(max_sweeps):
        before = weights.clone()
        for place, (column, curvature) in enumerate(zip(columns, curvatures, strict=True)):
            steps = (-slopes[:, place] / curvature).maximum(-weights[:, place]) * moving
            weights[:, place] += steps
            slopes.addcmul_(steps.unsqueeze(1), column)
        moving = ((weights - before).abs().amax(dim=1) > tolerance).to(moving.dtype)
        if not moving.any():
            break
    return weights
