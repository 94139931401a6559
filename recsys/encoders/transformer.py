"""Texts through a pretrained transformer: tokenised once, sorted by length, pooled over real tokens only."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.encoders.pretraining import Pretraining, pretrained
from recsys.encoders.weights import find_weights, weights_hash
from recsys.schema import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

CATALOGUE = "catalogue"  # weights that are pretrained from scratch on the train items' texts
DEFAULT_SIZES = {"vocabulary_size": 4000, "n_layers": 2, "n_heads": 4, "hidden_dim": 128}


class TransformerEncoder(Encoder):
    """Vectors of a transformer's last layer, pooled over each text's tokens.

    Args:
        weights: A folder that `save_pretrained` wrote, a hub id, or "catalogue".
        pooling: One of the architecture's poolings.
        max_length: Longer texts are cut after this many tokens.
        batch_size: Texts encoded at once; vectors do not depend on it.
        normalize: Whether vectors are scaled to length 1.
        device: "cpu", "cuda" or "auto".
        sizes: `vocabulary_size`, `n_layers`, `n_heads` and `hidden_dim` of the model that "catalogue" makes.
        pretraining: How that model is trained; see `Pretraining`.

    Raises:
        ConfigError: If a value is unknown or impossible.
    """

    architecture: ClassVar[str]
    poolings: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        weights: str,
        pooling: str,
        max_length: int = 128,
        batch_size: int = 64,
        normalize: bool = True,
        device: str = "auto",
        sizes: dict[str, int] | None = None,
        pretraining: dict[str, Any] | None = None,
    ) -> None:
        if pooling not in self.poolings:
            raise ConfigError(
                f"encoder.pooling is {pooling!r}; {self.architecture} has {', '.join(self.poolings)} "
                "(attention pooling has weights of its own and cannot be used on a frozen encoder)."
            )
        for key, value in {"max_length": max_length, "batch_size": batch_size}.items():
            if value < 1:
                raise ConfigError(f"encoder.{key} is {value}; expected 1 or more.")
        self.weights, self.pooling, self.normalize = weights, pooling, normalize
        self.max_length, self.batch_size, self.device = max_length, batch_size, device
        self.sizes = {**DEFAULT_SIZES, **(sizes or {})}
        self.pretraining = Pretraining(**(pretraining or {}))

    @abstractmethod
    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """A tokenizer learnt from texts and a model with untrained weights, for "catalogue"."""

    def identity(self) -> dict[str, Any]:
        source: dict[str, Any] = {"weights": self.weights}
        if self.weights == CATALOGUE:
            source |= {"fitted": True, "pretraining": self.pretraining.identity(), "sizes": self.sizes}
        else:
            source["sha256"] = weights_hash(find_weights(self.weights))
        pooled = {"pooling": self.pooling, "max_length": self.max_length, "normalize": self.normalize}
        return {"encoder": self.architecture, **source, **pooled, "precision": "float32"}

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        if self.weights == CATALOGUE:
            folder, self.pretraining_report = pretrained(self, self.pretraining, texts, cache_dir)
        else:
            folder, self.pretraining_report = find_weights(self.weights), {}
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, use_safetensors=True).float().eval().to(_device(self.device))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        from recsys.encoders.progress import track

        tokens = self._tokens(texts)
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]), reverse=True)
        vectors = np.empty((len(texts), self.model.config.hidden_size), dtype=np.float32)
        starts = range(0, len(order), self.batch_size)
        with torch.inference_mode():
            for start in track(starts, f"encoding with {self.architecture}"):
                rows = order[start : start + self.batch_size]
                vectors[rows] = self._forward([tokens[row] for row in rows]).cpu().numpy()
        return vectors

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        lengths = np.array([len(ids) for ids in self.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]])
        return {
            "n_cut": int((lengths > self.max_length).sum()),
            "tokens_mean": float(lengths.mean()) if len(lengths) else 0.0,
            "tokens_max": int(lengths.max(initial=0)),
            **({"pretraining": self.pretraining_report} if self.pretraining_report else {}),
        }

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        tokens = self.tokenizer(list(texts), truncation=True, max_length=self.max_length)["input_ids"]
        # A decoder's tokenizer gives nothing for an empty text: its end-of-text token stands for it.
        return [ids or [self.tokenizer.eos_token_id] for ids in tokens]

    def _forward(self, tokens: list[list[int]]) -> Tensor:
        import torch

        from recsys.encoders.pooling import POOLINGS

        length = max(map(len, tokens))
        # Padding stands at the right and is masked, so its id is never looked at, and a decoder's positions begin at 0.
        ids = torch.tensor([row + [0] * (length - len(row)) for row in tokens], device=self.model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in tokens], device=self.model.device)
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = POOLINGS[self.pooling](states, mask)
        return torch.nn.functional.normalize(pooled, dim=1) if self.normalize else pooled


def _device(name: str) -> str:
    import torch

    return name if name != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
