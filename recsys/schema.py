"""Names, errors and data structures that all parts share. Importing this module never imports torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    import polars as pl
    import torch
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix
    from torch import Tensor

# Columns of interactions, items and users. `user` and `item` are 0…n-1; `user_id` and `item_id` are the raw ids.
USER, ITEM = "user", "item"
TIMESTAMP, VALUE = "timestamp", "value"
USER_ID = "user_id"
ITEM_ID = "item_id"
TEXT = "text"
TITLE, WRITTEN = "title", "written"  # written by a language model
CATEGORIES = "categories"

# Columns of impressions (beside `user` and `timestamp`).
PART = "part"
HISTORY = "history"
CANDIDATES = "candidates"
CLICKED = "clicked"

TRAIN, VAL, TEST = "train", "val", "test"  # stages

# Interactions that the tested model is fitted on: train, train and validation, or all (then nothing is tested).
TEST_KNOWLEDGE = TRAIN_ONLY, REFIT, ALL = "train", "refit", "all"
MICROSECONDS = 1_000_000  # of a second: times are int64 microseconds since 1970 (UTC)
ONE_DRAW = "tests one draw of"  # in the warning about intervals that do not cover other cold items
LOSS = "train/loss"  # an epoch's mean training loss, in logs and learning curves; lower is better

# Raised by a change that moves most results, so that earlier runs are repeated; see `recsys.tracking.results_changes`.
RESULTS_VERSION = 9


class RecsysError(Exception):
    """A problem that the user can correct; command lines print its message without a traceback."""


class ConfigError(RecsysError):
    """A configuration value that is unknown or impossible; the message names the key."""


class DataError(RecsysError):
    """Malformed data; the message names file, line, column, the found and the expected value."""


class ComparisonError(RecsysError):
    """Runs that cannot be compared; the message lists the differences."""


class StoreError(RecsysError):
    """The store cannot be written, for example because the disk is full: no run can finish until that is corrected."""


class RecordError(RecsysError):
    """A record of the store that cannot be read; the message names the file."""


class BusyError(RecsysError):
    """Another process is making this run."""


@dataclass
class Positions:
    """Known part of shared histories: the items before `position` (B,) of history `row` (B,)."""

    row: Tensor
    position: Tensor

    def to(self, device: torch.device) -> Positions:
        return Positions(self.row.to(device), self.position.to(device))


@dataclass
class UserBatch:
    """Users of a batch with their histories, oldest item first.

    `idx` is (B,); -1 means a user without an index (a new one). `history` is (B, L) item indices, padded
    with 0 where `history_mask` (B, L, bool) is False. `text` is (B, text_dim), the encoder's vectors of texts about
    the users, for a profile that uses them, else None. With `positions`, in training only, histories are (H, L) and
    contain later items too, which the profile must mask.
    """

    idx: Tensor
    history: Tensor
    history_mask: Tensor
    text: Tensor | None = None
    positions: Positions | None = None

    def to(self, device: torch.device) -> UserBatch:
        moved = self.idx.to(device), self.history.to(device), self.history_mask.to(device)
        positions = None if self.positions is None else self.positions.to(device)
        return UserBatch(*moved, _move(self.text, device), positions)

    def split(self, size: int) -> list[UserBatch]:
        """The same users in batches of `size`."""
        parts = [part.split(size) for part in (self.idx, self.history, self.history_mask)]
        texts = [None] * len(parts[0]) if self.text is None else self.text.split(size)
        return [UserBatch(*each) for each in zip(*parts, texts, strict=True)]

    @classmethod
    def without_history(cls, idx: Tensor, text: Tensor | None = None) -> UserBatch:
        """Users for a model that reads no histories."""
        none = idx.new_zeros(idx.shape[0], 0)
        return cls(idx, none, none.bool(), text)


@dataclass
class TrainBatch:
    """Training examples: `positives` is (B,) item indices; (0,) for a user-level reconstruction loss.

    `shown` (B, N) are items that were shown with the positive and not clicked, if the data logs them (padded where
    `shown_mask` is False), else None. `weight` is the weight of the batch's loss if several processes share a batch.
    With `rows` (B,), `users` are the batch's distinct users (U,), and `rows` is the user of each positive.
    """

    users: UserBatch
    positives: Tensor
    shown: Tensor | None = None
    shown_mask: Tensor | None = None
    weight: float = 1.0
    rows: Tensor | None = None

    def to(self, device: torch.device) -> TrainBatch:
        shown, mask = _move(self.shown, device), _move(self.shown_mask, device)
        rows = _move(self.rows, device)
        return TrainBatch(self.users.to(device), self.positives.to(device), shown, mask, self.weight, rows)

    def by_user(self) -> TrainBatch:
        """The same examples with each user once, without histories and texts."""
        distinct, rows = self.users.idx.unique(return_inverse=True)
        users = UserBatch.without_history(distinct)
        return TrainBatch(users, self.positives, self.shown, self.shown_mask, self.weight, rows)


@dataclass
class EvaluationBatch:
    """Queries to be ranked.

    `query` is (B,), the query's number in its stage. `seen` and `positives` are (row, column) pairs, each (2, n),
    rows counted within the batch. Columns are items of the whole catalogue; or, where `candidates` (B, C) lists the
    items to be ranked (padded with -1), columns of that table.
    """

    query: Tensor
    users: UserBatch
    seen: Tensor
    positives: Tensor
    candidates: Tensor | None = None

    def to(self, device: torch.device) -> EvaluationBatch:
        pairs = self.seen.to(device), self.positives.to(device)
        return EvaluationBatch(self.query.to(device), self.users.to(device), *pairs, _move(self.candidates, device))


def _move(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)


@dataclass(frozen=True)
class UserPrompt:
    """The template of a text about a user.

    Attributes:
        template: With the field `items`, and further columns of the data's users.
        empty: The text if all fields are empty.
        separator: Between items.
        n_items: Number of newest items in the text, the newest first.
        n_snapshots: Maximum number of texts of a user in training beside the empty one, of growing length.
    """

    template: str
    empty: str
    separator: str
    n_items: int
    n_snapshots: int


@dataclass(frozen=True)
class ItemTexts:
    """Inputs of a part that reads the items' texts itself.

    Attributes:
        titles: Gives (n_items) titles, the whole text if an item has no title.
        texts: Gives (n_items) texts.
        cache_dir: Where pretrained weights may be kept between processes.
    """

    titles: Callable[[], Sequence[str]]
    texts: Callable[[], Sequence[str]]
    cache_dir: Path


@dataclass(frozen=True)
class RawIds:
    """The raw ids of the data, for a part that reads files of other programs.

    Attributes:
        users: Gives (n_users) ids.
        items: Gives (n_items) ids.
    """

    users: Callable[[], pl.Series]
    items: Callable[[], pl.Series]


@dataclass(frozen=True)
class ModelContext:
    """The data that a profile, a ranker or a sampler gets: sizes, train counts and categories of items, and
    nothing of the test.

    Attributes:
        dim: Width of user and item vectors.
        warm_users: (n_users,) bool, whether a user has a train interaction.
        item_counts: (n_items,) int64, train interactions of each item.
        trains_on_cold: Whether training examples may have users or items without a train interaction, such as items of
            impressions that were never clicked.
        text_dim: Width of the encoder's vectors; 0 for `encoder=none`.
        categories: (n_items, C) int64 categories of each item, padded with −1; None if the data has none.
        n_categories: Number of categories.
        texts: The items' texts; None outside a run, as in a check of the model on toy data.
        ids: The raw ids; None likewise.
    """

    dim: int
    warm_users: Tensor
    item_counts: Tensor
    trains_on_cold: bool = True
    text_dim: int = 0
    categories: Tensor | None = None
    n_categories: int = 0
    texts: ItemTexts | None = None
    ids: RawIds | None = None

    @property
    def n_users(self) -> int:
        return len(self.warm_users)

    @property
    def n_items(self) -> int:
        return len(self.item_counts)

    @property
    def warm_items(self) -> Tensor:
        """(n_items,) bool, whether an item has a train interaction."""
        return self.item_counts > 0

    def to(self, device: torch.device) -> ModelContext:
        """The same on another device."""
        counts, categories = self.item_counts.to(device), _move(self.categories, device)
        return replace(self, warm_users=self.warm_users.to(device), item_counts=counts, categories=categories)


@dataclass(frozen=True)
class TrainInteractions:
    """Input of a ranker's `fit`: the train part only, never validation or test.

    Attributes:
        users: (n,) the user of each interaction.
        items: (n,) its item; a (user, item) pair occurs once.
        timestamps: (n,) microseconds since 1970; None if the data has no times.
        n_users: Number of users of the data.
        n_items: Number of items of the catalogue.
        text_vectors: (n_items, text_dim) float32, the items' encoded texts; text_dim is 0 for `encoder=none`.
        seed: The run's seed, for the ranker's random draws.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    timestamps: NDArray[np.int64] | None
    n_users: int
    n_items: int
    text_vectors: NDArray[np.float32]
    seed: int = 0

    @property
    def has_text(self) -> bool:
        """Whether an encoder made vectors of the items' texts."""
        return self.text_vectors.shape[1] > 0

    @cached_property
    def matrix(self) -> csr_matrix:
        """(n_users, n_items) float64, 1 if a user has a train interaction with an item."""
        import numpy as np
        from scipy.sparse import csr_matrix

        ones = np.ones(len(self.users))
        return csr_matrix((ones, (self.users, self.items)), shape=(self.n_users, self.n_items))
