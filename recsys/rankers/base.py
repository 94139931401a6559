"""The interface of rankers, which score items for users, and optional abilities of some rankers.

Every ranker is a `Ranker`: it scores. Further abilities are eight small protocols: `Fittable`, `Factorised`,
`Explainable`, `Reconstructing`, `SequenceReader`, `Diagnosable`, `Charged` and `Tunable`. A ranker has an ability if
it has the protocol's members. The rest of the package tests `isinstance(ranker, Fittable)`, and never for a certain
class. A class that inherits a protocol is checked by Python and mypy for missing members.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from recsys.layers.lookup import row_products, take_rows
from recsys.schema import TrainInteractions, UserBatch


@dataclass
class UserSide:
    """Users to score for: a `batch` with ids and histories, and the `vectors` (B, dim) of their profiles.

    Without a profile, `vectors` are (B, 0).
    """

    batch: UserBatch
    vectors: Tensor


@dataclass
class SharedItems:
    """Items that are scored for all users, such as a whole catalogue: `idx` (I,) and their `vectors` (I, dim).

    Without features, `vectors` are (I, 0).
    """

    idx: Tensor
    vectors: Tensor


@dataclass
class OwnItems:
    """Different items for each user, such as positives or candidates.

    Attributes:
        idx: (B, N) item indices.
        table: (n, dim) vectors of distinct items; (n, 0) without features.
        rows: (B, N) the row of `table` of each item.
    """

    idx: Tensor
    table: Tensor
    rows: Tensor

    @property
    def vectors(self) -> Tensor:
        """Vectors (B, N, dim) of the items."""
        return take_rows(self.table, self.rows)

    def apply(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """`function` of the items' vectors, computed once for each distinct item: (B, N, …)."""
        return take_rows(function(self.table), self.rows)

    def map(self, function: Callable[[Tensor], Tensor]) -> OwnItems:
        """The same items with `function` applied to their vectors."""
        return OwnItems(self.idx, function(self.table), self.rows)

    def products(self, user_vectors: Tensor) -> Tensor:
        """Products (B, N) of each user's vector (B, dim) with those of its own items."""
        return row_products(user_vectors, self.table, self.rows)


@runtime_checkable
class Scorer(Protocol):
    """Scores how well items suit users. A higher score is a better match; scores are raw and unbounded.

    Attributes:
        reads_history: Whether it uses the users' whole histories itself. A profile uses the newest items only.
        reads_user: Whether it uses the user's index (`UserBatch.idx`).
    """

    reads_history: bool = False
    reads_user: bool = False

    @abstractmethod
    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        """Scores (B, N) of each user's own items (B, N)."""

    @abstractmethod
    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        """Scores (B, I) of the same items (I,) for all users. They equal those of `score` up to rounding."""


class Ranker(nn.Module, Scorer):
    """A scorer that is a torch module, with learnt weights as parameters and other fitted values as buffers."""


@runtime_checkable
class Fittable(Protocol):
    """A ranker that is fitted without gradients, or has a part that is."""

    @abstractmethod
    def fit(self, train: TrainInteractions) -> None:
        """Fit everything that is not learnt by gradient descent. Called once, before training and scoring.

        The results belong in buffers whose sizes the constructor knows, so that saved weights can be loaded again.
        """


@runtime_checkable
class Factorised(Protocol):
    """A ranker whose scores are products of user factors and item factors, so that other programs can serve it.

    Attributes:
        is_linear: Whether the user's factors are an affine function of the profile's vector.
    """

    is_linear: bool = False

    @abstractmethod
    def item_factors_of(self, items: SharedItems) -> Tensor:
        """Factors (I, d) of the items."""

    @abstractmethod
    def user_factors_of(self, users: UserSide) -> Tensor:
        """Factors (B, d) of the users."""


@runtime_checkable
class Explainable(Protocol):
    """A ranker whose score is a sum over the items of the user's history."""

    @abstractmethod
    def item_weights(self, history: Tensor, items: Tensor) -> Tensor:
        """Contributions (B, L, N) of the items of the histories (B, L) to the scores of `items` (B, N)."""


@runtime_checkable
class Reconstructing(Protocol):
    """A ranker that is trained by a user-level reconstruction loss, such as an autoencoder."""

    @abstractmethod
    def reconstruct(self, users: UserBatch) -> tuple[Tensor, Tensor]:
        """Scores (B, n_items) reconstructed from the users' histories, and a penalty () that is added to the loss."""


@runtime_checkable
class SequenceReader(Protocol):
    """A ranker that reads the newest `batches.max_history` items of a history in their order, as a profile does.

    Attributes:
        learns_sequences: True: it scores positions in shared histories (`UserBatch.positions`), which
            `batches.train_history=sequence` trains on.
    """

    learns_sequences: bool = True


@runtime_checkable
class Diagnosable(Protocol):
    """A ranker that measures its own biases for the run's record.

    Attributes:
        n_diagnostic_users: Number of test users that biases are measured on; 0 for no measurement.
    """

    n_diagnostic_users: int

    @abstractmethod
    def measure(self, users: UserSide, candidates: Tensor | None) -> dict[str, Any]:
        """Values for the record, by name.

        Args:
            users: Users of the test.
            candidates: (B, C) the candidates of each, padded with -1; None for the whole catalogue.
        """


@runtime_checkable
class Charged(Protocol):
    """A ranker that may ask a server, whose calls cost money."""

    @abstractmethod
    def spent(self) -> dict[str, Any]:
        """Calls, tokens and cost so far, by name; empty without a server."""

    @abstractmethod
    def charge(self, earlier: dict[str, Any]) -> None:
        """Add what another model of the same run has spent; its new calls count in the budget, too."""


@runtime_checkable
class Tunable(Protocol):
    """A ranker with a language model, of which `finetune` may train a part when the ranker is fitted."""

    @abstractmethod
    def train_with(self, method: Any) -> None:
        """Let `fit` train the parameters that a mode of fine-tuning chooses. Called once, before `fit`.

        Args:
            method: Has `adapt(model)`, which chooses the parameters and returns groups of them for an optimizer.

        Raises:
            ConfigError: If the ranker's settings do not allow training.
        """

    @abstractmethod
    def n_tuned_weights(self) -> int:
        """The number of weights of the language model that are trained; 0 without `train_with`."""
