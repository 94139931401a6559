"""The interface of profiles: a user's history, text or index as one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from recsys.schema import UserBatch, UserPrompt


class Profile(nn.Module, ABC):
    """Turns the vectors of the items in a user's history into a user vector.

    A user's vector depends on that user alone: not on the others of the batch, nor on the padding of histories. Take
    the sizes of users and histories from `shape`: an exported graph has the result of `len` as a constant.

    Attributes:
        reads_history: Whether it reads the vectors of the items in the history.
        reads_user: Whether it reads the user's index (`UserBatch.idx`).
        prompt: Template of the texts about users whose vectors it reads (`UserBatch.text`); None if it reads none.
        is_mean: Whether a user's vector is the mean of the vectors for histories of each single item.
        learns_sequences: Whether it has `at_positions`, for training on many positions of a sequence at once.
        mask_share: Masking probability of the Cloze task; None for next-item training.
    """

    reads_history: bool = True
    reads_user: bool = False
    prompt: UserPrompt | None = None
    is_mean: ClassVar[bool] = False
    learns_sequences: bool = False
    mask_share: float | None = None

    @abstractmethod
    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """User vectors (B, dim); an empty history has a defined vector.

        Args:
            users: The users' indices and texts, and the mask of real entries of `rows` (`history_mask`).
            item_vectors: (n, dim) vectors of the items that occur.
            rows: (B, L) the row of `item_vectors` of each item in the history, oldest first; padding is 0.
        """

    def at_positions(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """User vectors (B, dim) at `users.positions` of shared histories, `rows` (H, L).

        A vector does not depend on the item at its position nor, unless the profile has a `mask_share`, on later ones.

        Raises:
            NotImplementedError: If `learns_sequences` is False.
        """
        raise NotImplementedError(f"{type(self).__name__} reads one history for each user")


def after_each(states: Tensor, row: Tensor, n: Tensor) -> Tensor:
    """States (B, dim) after the first `n` (B,) items of histories `row` (B,), of states (H, L, dim) after each item.

    They are zeros where `n` is 0.
    """
    return states[row, (n - 1).clamp(min=0)] * (n > 0).unsqueeze(-1)
