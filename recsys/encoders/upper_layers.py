"""The upper layers of a transformer, run on stored activations of its frozen lower layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from recsys.encoders.network import TextNetwork
from recsys.schema import ConfigError


class UpperLayers(TextNetwork):
    """The last layers of a network; the inputs of the first of them are in memory for every token of the catalogue.

    The lower layers are removed from the model. It still computes masks and positions, but the input of its first
    remaining layer is replaced by the stored activations. These take 4 · dim bytes for each token.

    Args:
        network: The network, whose model is used and loses its lower layers.
        n_layers: Number of layers that remain.

    Raises:
        ConfigError: If the model has fewer layers, or not exactly one stack of layers.
    """

    activations: Tensor

    def __init__(self, network: TextNetwork, n_layers: int) -> None:
        nn.Module.__init__(self)
        self.model, self.pool, self.batch_tokens = network.model, network.pool, network.batch_tokens
        self.recompute, self.lengths = network.recompute, network.lengths
        self.register_buffer("tokens", network.tokens, persistent=False)
        self.register_buffer("starts", network.starts, persistent=False)
        _, blocks = network.blocks()
        if n_layers > len(blocks):
            raise ConfigError(f"finetune.n_layers is {n_layers}, but the encoder has {len(blocks)} layers.")
        self.register_buffer("activations", _activations(network, blocks[-n_layers]), persistent=False)
        del blocks[:-n_layers]
        self.model.config.num_hidden_layers = n_layers
        self.entering: Tensor | None = None
        blocks[0].register_forward_pre_hook(self._replace, with_kwargs=True)

    def states(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        places, mask = self.places(rows)
        self.entering = self.activations[places] * mask.unsqueeze(-1)
        return super().states(rows)

    def _replace(self, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if args:
            return (self.entering, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": self.entering}


@torch.no_grad()
def _activations(network: TextNetwork, block: nn.Module) -> Tensor:
    """The inputs of a block, (tokens of the catalogue, dim)."""
    entered: list[Tensor] = []

    def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        entered.append(args[0] if args else kwargs["hidden_states"])

    handle = block.register_forward_pre_hook(keep, with_kwargs=True)
    rows = torch.arange(len(network.lengths), device=network.starts.device)
    kept = None
    for batch in network.batches(rows):
        chosen = batch.to(rows.device)
        network.states(chosen)
        places, mask = network.places(chosen)
        states = entered.pop()
        kept = states.new_empty(len(network.tokens), states.shape[-1]) if kept is None else kept
        kept[places[mask]] = states[mask]
    handle.remove()
    assert kept is not None, "a catalogue has texts"
    return kept
