"""Negative samplers. A train positive of the user is drawn again, and masked after `MAX_REDRAWS` attempts.

Only items with train interactions are drawn: to train with the other items as negatives would leak that they belong to
validation or test. `ShownNegatives` does neither: it takes the items of the impression as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from recsys.schema import ConfigError, ModelContext, TrainBatch, UserBatch
from recsys.support.number_checks import check_number, check_whole

Score = Callable[[UserBatch, Tensor], Tensor]  # users and their items (B, N) → scores (B, N)
MAX_REDRAWS = 10
MAX_TABLE = 100_000_000  # bytes of a users × items table of known positives; beyond it, sorted keys are searched


@dataclass
class Negatives:
    """Negatives of a batch: (B, N) items by row, or (N,) shared by all rows.

    `mask` (B, N) is False where an item is a positive of the row's user, or padding. `log_q` is the log probability of
    each item's being drawn, shaped as `items`, and `positive_log_q` (B,) that of each positive, for the logQ correction
    of sampled softmax (Yi et al., "Sampling-Bias-Corrected Neural Modeling", RecSys 2019); None for no correction.
    """

    items: Tensor
    mask: Tensor
    log_q: Tensor | None = None
    positive_log_q: Tensor | None = None

    def split(self, sizes: list[int]) -> list[Negatives]:
        """Negatives by row, split into consecutive parts of `sizes` rows."""
        parts = [[None] * len(sizes) if field is None else field.split(sizes) for field in vars(self).values()]
        return [Negatives(*part) for part in zip(*parts, strict=True)]


class KnownPositives:
    """Which (user, item) pairs are in the train part, as sorted keys: memory is linear in interactions.

    Where a table of all pairs is small, it is kept as well: a look-up is then several times faster than a search.

    Args:
        users: (n,) user of each train interaction.
        items: (n,) its item.
        n_users: Number of users.
        n_items: Number of items.
    """

    def __init__(self, users: Tensor, items: Tensor, n_users: int, n_items: int) -> None:
        self.n_items = n_items
        self.keys = torch.sort(users.long() * n_items + items.long()).values
        self.table: Tensor | None = None
        if n_users * n_items <= MAX_TABLE:
            self.table = torch.zeros(n_users * n_items, dtype=torch.bool, device=users.device)
            self.table[self.keys] = True
        starts = torch.arange(n_users + 1, device=users.device) * n_items
        self.offsets = torch.searchsorted(self.keys, starts)

    def to(self, device: torch.device) -> KnownPositives:
        self.keys, self.offsets = self.keys.to(device), self.offsets.to(device)
        self.table = None if self.table is None else self.table.to(device)
        return self

    def contain(self, users: Tensor, items: Tensor) -> Tensor:
        """Which of the pairs of a user (n,) and an item (n,) are in the train part."""
        wanted = users * self.n_items + items
        if self.table is not None:
            return self.table.index_select(0, wanted)
        place = torch.searchsorted(self.keys, wanted).clamp(max=len(self.keys) - 1)
        return self.keys[place] == wanted

    def mask_of_shared(self, users: Tensor, items: Tensor) -> Tensor:
        """(B, N) False where shared item `items` (N,) is a positive of the user (B,)."""
        distinct, inverse = torch.unique(items, return_inverse=True)
        return self.mask_of_columns(users, self.columns_of(distinct), len(distinct)).index_select(1, inverse)

    def columns_of(self, items: Tensor) -> Tensor:
        """(n_items,) the position of each item in distinct `items` (N,); -1 if it is not in them."""
        columns = torch.full((self.n_items,), -1, device=items.device)
        columns[items] = torch.arange(len(items), device=items.device)
        return columns

    def mask_of_columns(self, users: Tensor, columns: Tensor, n: int) -> Tensor:
        """(B, n) False where the column's item, by `columns_of`, is a positive of the user (B,)."""
        counts = self.offsets[users + 1] - self.offsets[users]
        row = torch.repeat_interleave(torch.arange(len(users), device=users.device), counts)
        within = torch.arange(len(row), device=users.device) - torch.repeat_interleave(
            counts.cumsum(0) - counts, counts
        )
        known = self.keys[torch.repeat_interleave(self.offsets[users], counts) + within] % self.n_items
        column = columns.index_select(0, known)
        hit = column >= 0
        mask = torch.ones(len(users), n, dtype=torch.bool, device=users.device)
        mask[row[hit], column[hit]] = False
        return mask


class NegativeSampler(ABC):
    """Gives each positive of a batch its negatives.

    Args:
        context: Sizes of the data and train counts.
        known: The train positives.
    """

    by_example: ClassVar[bool] = True  # whether a draw depends on user and positive only, so one serves several batches
    columns: Tensor | None = None  # (n_items,) each item's column in the negatives, if these are the same for all rows

    def __init__(self, context: ModelContext, known: KnownPositives) -> None:
        self.context = context
        self.known = known.to(context.item_counts.device)

    @abstractmethod
    def draw(self, batch: TrainBatch, generator: Generator) -> Negatives:
        """Negatives of a batch, drawn independently of the model."""

    def draw_all(self, batches: Sequence[TrainBatch], generator: Generator) -> list[Negatives]:
        """Negatives of several batches, in one draw if the sampler allows it (`by_example`)."""
        if len(batches) == 1 or not self.by_example:
            return [self.draw(batch, generator) for batch in batches]
        together = TrainBatch(
            UserBatch.without_history(torch.cat([batch.users.idx for batch in batches])),
            torch.cat([batch.positives for batch in batches]),
        )
        return self.draw(together, generator).split([len(batch.positives) for batch in batches])

    def choose(self, users: UserBatch, drawn: Negatives, score: Score) -> Negatives:
        """The drawn negatives to train on; a sampler that selects them by the model's scores calls `score`."""
        return drawn

    def draw_unknown(self, users: Tensor, n: int, draw: Callable[[int], Tensor]) -> tuple[Tensor, Tensor]:
        """(B, n) items from `draw(count)`, and their mask, which is False for positives of the users (B,)."""
        items = draw(len(users) * n)
        owners = users.repeat_interleave(n) if n > 1 else users
        known = self.known.contain(owners, items)
        for _ in range(MAX_REDRAWS):
            place = known.nonzero().squeeze(1)
            if len(place) == 0:
                break
            items[place] = again = draw(len(place))
            known[place] = self.known.contain(owners[place], again)
        return items.view(len(users), n), ~known.view(len(users), n)


class UniformNegatives(NegativeSampler):
    """`n_negatives` items drawn uniformly for each positive.

    Raises:
        ConfigError: If `n_negatives` is not a whole number of at least 1.
    """

    def __init__(self, context: ModelContext, known: KnownPositives, n_negatives: int = 8) -> None:
        super().__init__(context, known)
        check_whole("negatives.n_negatives", n_negatives, 1)
        self.n_negatives = n_negatives
        self.items = context.warm_items.nonzero().squeeze(1)

    def draw(self, batch: TrainBatch, generator: Generator) -> Negatives:
        return Negatives(*self.draw_unknown(batch.users.idx, self.n_negatives, lambda n: self._draw(n, generator)))

    def _draw(self, n: int, generator: Generator) -> Tensor:
        drawn = torch.randint(len(self.items), (n,), generator=generator, device=self.items.device)
        return self.items.index_select(0, drawn)


class PopularityNegatives(NegativeSampler):
    """`n_negatives` items drawn with probability ∝ count^alpha: 0 is uniform, 1 is proportional to train counts.

    Mikolov et al., "Distributed Representations of Words and Phrases", NIPS 2013 (alpha = 0.75).

    Raises:
        ConfigError: If `n_negatives` is not a whole number of at least 1, or `alpha` is negative.
    """

    def __init__(
        self,
        context: ModelContext,
        known: KnownPositives,
        n_negatives: int = 8,
        alpha: float = 0.75,
        log_q: bool = False,
    ) -> None:
        super().__init__(context, known)
        check_whole("negatives.n_negatives", n_negatives, 1)
        check_number("negatives.alpha", alpha, at_least=0)
        self.n_negatives = n_negatives
        weights = torch.where(context.warm_items, context.item_counts.double().clamp(min=1) ** alpha, 0.0)
        self.cumulative = weights.cumsum(0) / weights.sum()
        self.log_q = (weights / weights.sum()).log().float() if log_q else None

    def draw(self, batch: TrainBatch, generator: Generator) -> Negatives:
        items, mask = self.draw_unknown(batch.users.idx, self.n_negatives, lambda n: self._draw(n, generator))
        if self.log_q is None:
            return Negatives(items, mask)
        return Negatives(items, mask, self.log_q[items], self.log_q[batch.positives])

    def _draw(self, n: int, generator: Generator) -> Tensor:
        uniform = torch.rand(n, generator=generator, device=self.cumulative.device, dtype=torch.float64)
        # right=True skips items of weight 0, whose cumulative share equals their predecessor's.
        return torch.searchsorted(self.cumulative, uniform, right=True).clamp(max=len(self.cumulative) - 1)


class InBatchNegatives(NegativeSampler):
    """The batch's other positives, shared by all rows: drawn in proportion to popularity, hence the logQ correction."""

    by_example: ClassVar[bool] = False

    def __init__(self, context: ModelContext, known: KnownPositives, log_q: bool = True) -> None:
        super().__init__(context, known)
        counts = context.item_counts.double()
        self.log_q = (counts.clamp(min=1) / counts.sum()).log().float() if log_q else None

    def draw(self, batch: TrainBatch, generator: Generator) -> Negatives:
        items = batch.positives
        mask = self.known.mask_of_shared(batch.users.idx, items)
        if self.log_q is None:
            return Negatives(items, mask)
        return Negatives(items, mask, self.log_q[items], self.log_q[items])


class HardNegatives(UniformNegatives):
    """The `n_negatives` items with the highest scores in a pool of `pool_size` drawn uniformly.

    Zhang et al., "Optimizing Top-N Collaborative Filtering via Dynamic Negative Item Sampling", SIGIR 2013.

    Raises:
        ConfigError: If `n_negatives` is not a whole number of at least 1, or above `pool_size`.
    """

    def __init__(self, context: ModelContext, known: KnownPositives, n_negatives: int = 1, pool_size: int = 16) -> None:
        check_whole("negatives.n_negatives", n_negatives, 1)
        if pool_size < n_negatives:
            raise ConfigError(
                f"negatives.pool_size is {pool_size}; expected at least negatives.n_negatives, which is {n_negatives}."
            )
        super().__init__(context, known, pool_size)
        self.n_chosen = n_negatives

    def choose(self, users: UserBatch, drawn: Negatives, score: Score) -> Negatives:
        scores = score(users, drawn.items).masked_fill(~drawn.mask, -torch.inf)
        best = scores.topk(self.n_chosen, dim=1).indices
        return Negatives(drawn.items.gather(1, best), drawn.mask.gather(1, best))


class AllNegatives(NegativeSampler):
    """Every item with train interactions, shared by all rows: for the full softmax."""

    by_example: ClassVar[bool] = False

    def __init__(self, context: ModelContext, known: KnownPositives) -> None:
        super().__init__(context, known)
        self.items = context.warm_items.nonzero().squeeze(1)
        self.columns: Tensor = self.known.columns_of(self.items)

    def draw(self, batch: TrainBatch, generator: Generator) -> Negatives:
        return Negatives(self.items, self.known.mask_of_columns(batch.users.idx, self.columns, len(self.items)))


class ShownNegatives(NegativeSampler):
    """`n_negatives` items for each positive that its impression showed and that were not clicked there.

    Wu et al., "MIND: A Large-scale Dataset for News Recommendation", ACL 2020.

    Raises:
        ConfigError: If `n_negatives` is not a whole number of at least 1; from `draw`, if the data has no impressions.
    """

    by_example: ClassVar[bool] = False

    def __init__(self, context: ModelContext, known: KnownPositives, n_negatives: int = 4) -> None:
        super().__init__(context, known)
        check_whole("negatives.n_negatives", n_negatives, 1)
        self.n_negatives = n_negatives

    def draw(self, batch: TrainBatch, generator: Generator) -> Negatives:
        if batch.shown is None or batch.shown_mask is None:
            raise ConfigError("negatives=shown needs data with impressions, such as data=mind; use negatives=uniform.")
        keys = torch.rand(batch.shown.shape, generator=generator, device=batch.shown.device)
        keys = keys.masked_fill(~batch.shown_mask, -1.0)
        if keys.shape[1] < self.n_negatives:
            keys = torch.nn.functional.pad(keys, (0, self.n_negatives - keys.shape[1]), value=-1.0)
        order = keys.topk(self.n_negatives, dim=1)
        columns = order.indices.clamp(max=batch.shown.shape[1] - 1)
        return Negatives(batch.shown.gather(1, columns), order.values >= 0)
