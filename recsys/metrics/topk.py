"""The best k of each row, exact under ties."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from recsys.metrics.hashing import HASH_MAX, pair_hash
from recsys.schema import RecsysError

BLOCK = 16  # columns of a block of scores
LONG = 256  # times k: rows from this length on are searched by blocks


def rank_items(scores: Tensor, k: int, query: Tensor, seed: int, items: Tensor | None = None) -> Tensor:
    """Columns of the k best scores of each row, best first, (B, k); -1 where fewer than k scores are above -∞.

    Equal scores are in the order of a seeded hash of query and item. So constant scores rank at random, and neither
    chunks nor the order of columns change a result.

    Args:
        scores: (B, C); -∞ is never recommended.
        k: Length of the ranking; it may exceed C.
        query: (B,) the number of each query.
        seed: Seed of the hash.
        items: (B, C) the item in each column; None if column j is item j.

    Raises:
        RecsysError: If a score is NaN.

    Example:
        >>> rank_items(torch.tensor([[0.1, 0.7, -torch.inf, 0.3]]), 4, torch.tensor([0]), seed=0).tolist()
        [[1, 3, 0, -1]]
    """
    values, columns = top_values(scores, min(k + 1, scores.shape[1]))
    _refuse_nan(values, query)
    tied = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -torch.inf)
    columns, values = columns[:, :k], values[:, :k]
    if tied.any():
        rows = tied[:, k - 1 :].any(dim=1).nonzero().squeeze(1)  # those whose tie reaches past the end of the list
        columns[rows] = _draw_last(scores, columns[rows], rows, query, seed, items)
        rows = tied.any(dim=1).nonzero().squeeze(1)
        columns[rows] = _order_within_ties(values[rows], columns[rows], rows, query, seed, items)
    columns = columns.masked_fill(values == -torch.inf, -1)
    return pad(columns, (0, k - columns.shape[1]), value=-1)


def top_values(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest values of each row (B, C) and their columns, (B, k) each, largest first; NaN counts as largest.

    In long rows only the k blocks of columns with the largest maxima are searched: each of these maxima is at least as
    large as any value of the other blocks, so the k largest values are in them.
    """
    n_rows, n_columns = scores.shape
    if n_columns < LONG * k:
        return scores.topk(k, dim=1)
    n_blocks = n_columns // BLOCK
    # Block j is the columns j, j + n_blocks, …: maxima over these run along the memory.
    maxima = scores[:, : n_blocks * BLOCK].unflatten(1, (BLOCK, n_blocks)).amax(dim=1)
    blocks = maxima.topk(k, dim=1, sorted=False).indices
    all_columns = torch.arange(n_columns, device=scores.device)
    chosen = (all_columns[: n_blocks * BLOCK : n_blocks].unsqueeze(1) + blocks.unsqueeze(1)).flatten(1)
    left_over = all_columns[n_blocks * BLOCK :].expand(n_rows, -1)
    columns = torch.cat([chosen, left_over], dim=1)
    values, place = scores.gather(1, columns).topk(k, dim=1)
    return values, columns.gather(1, place)


def _refuse_nan(values: Tensor, query: Tensor) -> None:
    bad = values[:, :1].isnan().any(dim=1)  # topk puts NaN first
    if bad.any():
        raise RecsysError(
            f"The model's scores are NaN for {int(bad.sum())} of {len(query)} queries (first: query "
            f"{int(query[bad][0])}); expected numbers. Training has probably diverged: lower learning_rate."
        )


def _hash(rows: Tensor, columns: Tensor, query: Tensor, seed: int, items: Tensor | None) -> Tensor:
    return pair_hash(query[rows], columns if items is None else items[rows, columns], seed)


def _draw_last(scores: Tensor, columns: Tensor, rows: Tensor, query: Tensor, seed: int, items: Tensor | None) -> Tensor:
    """`columns` (R, k) of `rows`, where of all items with the last score those with the smallest hashes are listed."""
    if not len(rows):
        return columns
    chosen_scores = scores[rows]
    last = chosen_scores.gather(1, columns[:, -1:])
    row, column = (chosen_scores == last).nonzero(as_tuple=True)
    n_tied = row.bincount(minlength=len(rows))
    place = torch.arange(len(row), device=row.device) - (n_tied.cumsum(0) - n_tied)[row]
    hashes = row.new_full((len(rows), int(n_tied.max())), HASH_MAX)
    candidates = torch.zeros_like(hashes)
    hashes[row, place] = _hash(rows[row], column, query, seed, items)
    candidates[row, place] = column
    k = columns.shape[1]
    drawn = candidates.gather(1, hashes.topk(min(k, hashes.shape[1]), largest=False).indices)
    n_above = (chosen_scores.gather(1, columns) > last).sum(dim=1, keepdim=True)
    place = torch.arange(k, device=row.device) - n_above
    return torch.where(place < 0, columns, drawn.gather(1, place.clamp(0, drawn.shape[1] - 1)))


def _order_within_ties(
    values: Tensor, columns: Tensor, rows: Tensor, query: Tensor, seed: int, items: Tensor | None
) -> Tensor:
    by_hash = _hash(rows.unsqueeze(1), columns, query, seed, items).argsort(dim=1)
    by_score = values.gather(1, by_hash).argsort(dim=1, descending=True, stable=True)
    return columns.gather(1, by_hash).gather(1, by_score)
