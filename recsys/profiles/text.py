"""The encoder's vector of a text about the user, alone or fused with another profile."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from recsys.profiles.base import Profile
from recsys.schema import ConfigError, ModelContext, UserBatch, UserPrompt

NONE, CONCAT, GATE = "none", "concat", "gate"


class TextProfile(Profile):
    """A learnt projection of the encoded text about the user.

    With t the projected text and o the vector of another profile, `concat` gives W[t; o] + b, and `gate` gives
    g ⊙ t + (1 − g) ⊙ o with g = σ(W[t; o] + b), as gated multimodal units do (Arevalo et al., 2017).

    Args:
        context: Sizes of the data.
        template: See `UserPrompt`.
        empty: See `UserPrompt`.
        separator: See `UserPrompt`.
        n_items: See `UserPrompt`.
        n_snapshots: See `UserPrompt`.
        fuse: "none", "concat" or "gate".
        other: Makes the other profile; None with `fuse="none"`.

    Raises:
        ConfigError: If `fuse` is unknown or does not fit `other`.
    """

    def __init__(
        self,
        context: ModelContext,
        template: str = "This person liked: {items}.",
        empty: str = "A person of whom nothing is known.",
        separator: str = "; ",
        n_items: int = 10,
        n_snapshots: int = 4,
        fuse: str = NONE,
        other: Callable[[ModelContext], Profile] | None = None,
    ) -> None:
        super().__init__()
        _check_fuse(fuse, other is not None)
        self.prompt = UserPrompt(template, empty, separator, n_items, n_snapshots)
        self.fuse = fuse
        self.project = nn.Linear(context.text_dim, context.dim)
        self.other = None if other is None else other(context)
        if isinstance(self.other, TextProfile):
            raise ConfigError("profile.other is text, as the profile itself; choose another, or profile.fuse=none.")
        self.reads_history = self.other is not None and self.other.reads_history
        self.reads_user = self.other is not None and self.other.reads_user
        self.join = None if self.other is None else nn.Linear(2 * context.dim, context.dim)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        if users.text is None:
            raise ValueError("UserBatch.text is None, but profile=text reads the vectors of users' texts.")
        text = self.project(users.text)
        if self.other is None or self.join is None:
            return text
        other = self.other(users, item_vectors, rows)
        joined = self.join(torch.cat([text, other], dim=1))
        return joined if self.fuse == CONCAT else torch.lerp(other, text, torch.sigmoid(joined))


def _check_fuse(fuse: str, has_other: bool) -> None:
    if fuse not in (NONE, CONCAT, GATE):
        raise ConfigError(f"profile.fuse is {fuse!r}; expected {NONE}, {CONCAT} or {GATE}.")
    if has_other and fuse == NONE:
        raise ConfigError(f"profile.fuse is {NONE}, which ignores profile.other: give {CONCAT} or {GATE}, or no other.")
    if not has_other and fuse != NONE:
        raise ConfigError(
            f"profile.fuse is {fuse}, and there is no other profile to fuse the text with: add it, as in "
            "+profile@profile.other=mean (or attention, recurrent, transformer, id), or give profile.fuse=none."
        )
