"""A transformer over the texts of a catalogue, for training: rows of texts in, vectors with a gradient out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from recsys.language_models.lengths import length_batches
from recsys.schema import ConfigError

Pool = Callable[[Tensor, Tensor], Tensor]


class TextNetwork(nn.Module):
    """Vectors of texts by row, from tokens that are in memory; texts of similar length are batched together.

    Args:
        model: A model of the library transformers; its weights are trained in place.
        tokens: Token ids of each text, none of them empty.
        pool: From states (B, L, dim) and their mask (B, L) to vectors (B, text_dim).
        batch_tokens: Tokens of a batch, including padding.
    """

    tokens: Tensor
    starts: Tensor

    def __init__(self, model: Any, tokens: Sequence[Sequence[int]], pool: Pool, batch_tokens: int) -> None:
        super().__init__()
        self.model, self.pool, self.batch_tokens = model, pool, batch_tokens
        self.recompute = False  # gradient checkpointing: states are recomputed in the backward pass
        self.lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
        flat = np.concatenate([np.asarray(ids, dtype=np.int64) for ids in tokens])
        self.register_buffer("tokens", torch.from_numpy(flat), persistent=False)
        starts = torch.from_numpy(np.cumsum(self.lengths) - self.lengths)
        self.register_buffer("starts", starts, persistent=False)
        if getattr(model, "pooler", None) is not None:
            model.pooler = None  # a head on the last layer, which pooling does not use
        model.config.use_cache = False  # of keys and values, for generating text

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors (n, text_dim) of the texts `rows` (n,)."""
        places, parts = [], []
        for batch in self.batches(rows):
            chosen = rows[batch.to(rows.device)]
            again = self.recompute and torch.is_grad_enabled()
            parts.append(checkpoint(self._vectors, chosen, use_reentrant=False) if again else self._vectors(chosen))
            places.append(batch)
        return torch.cat(parts)[torch.cat(places).argsort().to(rows.device)]

    def batches(self, rows: Tensor) -> Iterator[Tensor]:
        """Batches of positions in `rows`, of texts of similar length."""
        for batch in length_batches(self.lengths[rows.cpu().numpy()], self.batch_tokens):
            yield torch.from_numpy(batch)

    def places(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Positions of the tokens of `rows` (B,) in `tokens`, (B, L), and their mask; padding is at the right."""
        lengths = torch.from_numpy(self.lengths[rows.cpu().numpy()]).to(rows.device).unsqueeze(1)
        columns = torch.arange(int(lengths.max()), device=rows.device)
        mask = columns < lengths
        return (self.starts[rows].unsqueeze(1) + columns).masked_fill(~mask, 0), mask

    def states(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The last layer's states (B, L, dim) of the texts `rows` (B,), and their mask."""
        places, mask = self.places(rows)
        ids = self.tokens[places].masked_fill(~mask, 0)
        return self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state, mask.long()

    def blocks(self) -> tuple[str, nn.ModuleList]:
        """The model's stack of layers, and its name.

        Raises:
            ConfigError: If there is not exactly one.
        """
        return find_blocks(self.model)

    def _vectors(self, rows: Tensor) -> Tensor:
        return self.pool(*self.states(rows))


def find_blocks(model: Any) -> tuple[str, nn.ModuleList]:
    """The name and the module list of the model's layers: the only list of `config.num_hidden_layers` modules.

    Raises:
        ConfigError: If there is not exactly one.
    """
    n_layers = getattr(model.config, "num_hidden_layers", None)
    lists = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    found = [(name, module) for name, module in lists if len(module) == n_layers]
    if len(found) != 1:
        raise ConfigError(
            f"finetune: {type(model).__name__} has {len(found)} lists of {n_layers} modules where one stack of layers "
            "is expected; use finetune=full with layer_decay=1, bitfit, lora or delta, which do not distinguish layers."
        )
    return found[0]
