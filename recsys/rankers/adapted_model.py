"""A partly fine-tuned language model, whose state holds only the trained weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from recsys.language_models.causal import CausalLM
from recsys.language_models.label_training import put, trained


class Adapts(Protocol):
    """A mode of fine-tuning, which chooses the trained parameters of a model."""

    def adapt(self, model: Any) -> list[dict[str, Any]]:
        """Choose parameters and freeze the others; returns parameter groups for an optimizer."""


class AdaptedModel(nn.Module):
    """Opens a language model and chooses its trained parameters; `state_dict` holds these only.

    Args:
        language_model: The model, not necessarily open.
        method: Chooses the trained parameters.

    Attributes:
        groups: Parameter groups for an optimizer; None while the model is not open.
    """

    def __init__(self, language_model: CausalLM, method: Adapts) -> None:
        super().__init__()
        self.language_model, self.method = language_model, method
        self.groups: list[dict[str, Any]] | None = None
        self._saved: dict[str, Tensor] = {}
        self._seed = 0

    def reset(self, seed: int) -> None:
        """Discard all trained weights; `seed` determines the initial values of new parameters."""
        self.language_model.model, self.groups = None, None
        self._saved, self._seed = {}, seed

    def open(self, cache_dir: Path) -> None:
        """Load the model once, with the saved trained weights, if there are any."""
        with torch.inference_mode(False), torch.enable_grad():
            self.language_model.open(cache_dir)
            if self.groups is None:
                with torch.random.fork_rng():
                    torch.manual_seed(self._seed)
                    self.groups = self.method.adapt(self.language_model.model)
                self.language_model.model.eval()
                put(self.language_model.model, self._saved)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        weights = self._saved if self.groups is None else trained(self.language_model.model)
        destination.update({f"{prefix}{name}": tensor for name, tensor in weights.items()})

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        _, _, missing, *_ = args
        names = [name for name in state_dict if name.startswith(prefix)]
        self._saved = {name[len(prefix) :]: state_dict.pop(name) for name in names}
        if not names:
            missing.append(f"{prefix}*")
        if self.groups is not None:
            put(self.language_model.model, self._saved)
