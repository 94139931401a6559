"""The same work as a plain torch loop, without framework, validation or mask: what a straightforward step costs."""

from __future__ import annotations

import statistics
import time

import torch
from torch.nn import functional


def epoch_seconds(
    users: torch.Tensor, items: torch.Tensor, dim: int, batch_size: int, epochs: int, steps: int
) -> float:
    """The median seconds of an epoch of matrix factorisation with BPR by Adam, one uniform negative for each positive.

    Args:
        users: (n,) user of each interaction.
        items: (n,) its item.
        dim: Width of the vectors.
        batch_size: Interactions of a step.
        epochs: Epochs to be timed, after one that is not.
        steps: Steps of each, whose seconds are multiplied; 0 for all.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    n_items = int(items.max()) + 1
    weights = [torch.nn.Parameter(0.1 * torch.randn(n, dim)) for n in (int(users.max()) + 1, n_items)]
    optimizer = torch.optim.Adam(weights, lr=0.001, fused=True)
    seconds = []
    for _ in range(epochs + 1):
        start = time.perf_counter()
        batches = torch.randperm(len(users)).split(batch_size)
        taken = batches[:steps] if steps else batches
        shuffled = time.perf_counter()
        for chosen in taken:
            pairs = torch.stack([items[chosen], torch.randint(n_items, (len(chosen),))], dim=1)
            of_users, of_items = (
                functional.embedding(users[chosen], weights[0]),
                functional.embedding(pairs, weights[1]),
            )
            scores = (of_items * of_users.unsqueeze(1)).sum(dim=-1)
            loss = functional.softplus(scores[:, 1] - scores[:, 0]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(shuffled - start + (time.perf_counter() - shuffled) * len(batches) / len(taken))
    return statistics.median(seconds[1:])
