"""Settings of an encoder that come as groups of keys, checked by name and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from recsys.schema import ConfigError
from recsys.support.near_names import nearest
from recsys.support.number_checks import check_whole

SMALLEST_VOCABULARY = 300  # the 256 bytes, the special tokens and some merges
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class ModelSizes:
    """Sizes of a model that is trained from scratch.

    Attributes:
        vocabulary_size: Maximum number of tokens; a small catalogue has fewer.
        n_layers: Number of transformer layers.
        n_heads: Number of attention heads of a layer.
        hidden_dim: Width of the model's states, and of the vectors.

    Raises:
        ConfigError: If a value is impossible.
    """

    vocabulary_size: int = 4000
    n_layers: int = 2
    n_heads: int = 4
    hidden_dim: int = 128

    def __post_init__(self) -> None:
        for key, minimum in {
            "vocabulary_size": SMALLEST_VOCABULARY,
            "n_layers": 1,
            "n_heads": 1,
            "hidden_dim": 1,
        }.items():
            check_whole(f"encoder.sizes.{key}", getattr(self, key), minimum)
        if self.hidden_dim % self.n_heads:
            raise ConfigError(
                f"encoder.sizes.hidden_dim is {self.hidden_dim}; expected a multiple of n_heads={self.n_heads}."
            )


def settings(kind: type[Settings], key: str, values: Mapping[str, Any] | None) -> Settings:
    """The values of the group `encoder.{key}` as an object of class `kind`; None for its defaults.

    Raises:
        ConfigError: If a key is unknown, or a value impossible.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(values or {}) - set(known))
    if unknown:
        raise ConfigError(
            f"encoder.{key}.{unknown[0]} is unknown; expected {', '.join(known)}{nearest(unknown[0], known) or '.'}"
        )
    return kind(**(values or {}))
