"""The contract of a profile: what a user did, and perhaps who the user is, as one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from recsys.schema import UserBatch, UserPrompt


class Profile(nn.Module, ABC):
    """Turns the vectors of the items in a user's history into a user vector.

    A user's vector depends on that user alone: not on the others of the batch, nor on how far histories are padded.
    Sizes of users and histories are taken from `shape`: what `len` gives, an exported graph takes for a constant.

    Attributes:
        reads_history: Whether it reads the vectors of the items that users did.
        reads_user: Whether it reads who the user is (`UserBatch.idx`).
        prompt: How the texts about users are written that it reads the vectors of (`UserBatch.text`); None if it reads
            none.
        is_mean: Whether a user's vector is the mean of those of users who did one of the items each.
        learns_sequences: Whether it has `at_places`, and so learns from many places of a sequence at once.
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
            users: Who they are, and which entries of `rows` are real (`history_mask`).
            item_vectors: (n, dim) vectors of the items that occur.
            rows: (B, L) the row of `item_vectors` of each item in the history, oldest first; padding is 0.
        """

    def at_places(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """User vectors (B, dim) at `users.places` of shared histories, `rows` (H, L).

        The item at a position and, unless the profile has a `mask_share`, later ones have no influence.

        Raises:
            NotImplementedError: If the profile does not learn from sequences.
        """
        raise NotImplementedError(f"{type(self).__name__} reads one history for each user")


def after_each(states: Tensor, row: Tensor, n: Tensor) -> Tensor:
    """States (B, dim) after the first `n` (B,) items of histories `row` (B,), of states (H, L, dim) after each item.

    They are zeros after none.
    """
    return states[row, (n - 1).clamp(min=0)] * (n > 0).unsqueeze(-1)
