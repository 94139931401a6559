"""The contract of a ranker: user and item in, one raw score out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from recsys.layers.lookup import plain_row_products, row_products, take_rows
from recsys.schema import TrainInteractions, UserBatch


@dataclass
class UserSide:
    """Users to be ranked for: who they are and what they did, and `vectors` (B, dim) of their profiles."""

    batch: UserBatch
    vectors: Tensor


@dataclass
class ItemSide:
    """Items to be scored: (I,) for all users, or (B, N) for each user its own.

    Attributes:
        idx: (I,) or (B, N) item indices.
        table: Their vectors, (I, dim) or (B, N, dim); or, with `rows`, the vectors (n, dim) of all that occur.
        rows: (B, N) the row of `table` of each item.
    """

    idx: Tensor
    table: Tensor
    rows: Tensor | None = None

    @property
    def vectors(self) -> Tensor:
        """Vectors (I, dim) or (B, N, dim) of the items."""
        return self.apply(lambda table: table)

    def apply(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """`function` of the items' vectors, computed once for each row of the table where it acts on rows alone."""
        return function(self.table) if self.rows is None else take_rows(function(self.table), self.rows)

    def products(self, user_vectors: Tensor) -> Tensor:
        """Products (B, N) of each user's vector (B, dim) with those of its own items."""
        if self.rows is None:
            return plain_row_products(user_vectors, self.table)
        return row_products(user_vectors, self.table, self.rows)


class Ranker(nn.Module, ABC):
    """Scores how well items suit users; a higher score is a better match, raw and unbounded.

    Attributes:
        reads_history: Whether it reads what users did itself, all of it, however a profile's history may be cut.
        reads_user: Whether `user_factors_of` reads who the user is (`UserBatch.idx`), beside what a profile may.
    """

    reads_history: ClassVar[bool] = False
    reads_user: bool = False
    n_diagnostic_users: int = 0  # of the test, whom `measure` is given

    @property
    def is_linear(self) -> bool:
        """Whether the score is linear in the user's vector, up to what only the item or only the user adds."""
        return False

    def item_weights(self, history: Tensor, items: Tensor) -> Tensor | None:
        """(B, L, N) what each item of a history (B, L) adds to the scores of `items` (B, N), where that sum is all.

        None where the score is no such sum.
        """
        return None

    def item_factors_of(self, items: ItemSide) -> Tensor | None:
        """Vectors (I, d) of the items `items.idx` (I,) whose products with those of users are the scores.

        None where the score is no such product.
        """
        return None

    def user_factors_of(self, users: UserSide) -> Tensor:
        """Vectors (B, d) of users, for those of `item_factors_of`.

        Raises:
            NotImplementedError: Where the score is no product.
        """
        raise NotImplementedError(f"the score of {type(self).__name__} is no product of vectors")

    def fit(self, train: TrainInteractions) -> None:
        """Fit without gradients; called once, before anything is scored or trained.

        The result belongs into buffers whose sizes are those of the constructor, so that saved weights fit again.
        """

    def reconstruct(self, users: UserBatch) -> tuple[Tensor, Tensor]:
        """Scores (B, n_items) that the users' histories reconstruct, and a penalty, for a loss over whole users.

        Raises:
            NotImplementedError: Where the ranker is trained on positives and negatives.
        """
        raise NotImplementedError(f"{type(self).__name__} is not trained on whole users")

    def measure(self, users: UserSide, candidates: Tensor | None) -> dict[str, Any]:
        """What it can say of its own biases, by users as the test has them; nothing, for most.

        Args:
            users: Some of the test's.
            candidates: (B, C) the items that each is shown, padded with -1; None for the whole catalogue.
        """
        return {}

    @abstractmethod
    def score(self, users: UserSide, items: ItemSide) -> Tensor:
        """Scores (B, N) of each user's own N items: `items.idx` is (B, N)."""

    @abstractmethod
    def score_catalogue(self, users: UserSide, items: ItemSide) -> Tensor:
        """Scores (B, I) of the same I items for all users: `items.idx` is (I,)."""
