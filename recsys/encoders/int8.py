"""int8 linear layers with a scale for each row, so that no row depends on the others."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from recsys.schema import ConfigError

LEVELS = 127  # largest absolute value of an int8 weight


class Int8Linear(nn.Module):
    """x W + b with both factors rounded to int8: W by output, x by row (the vector-wise quantisation of LLM.int8()).

    Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", NeurIPS 2022; outliers are not
    treated separately. Torch's product has one scale for all rows, from their largest and smallest value. Here each row
    is divided by its largest absolute value first, and a row with 1 and −1 is added, so that this scale is always the
    same: the result for a row does not depend on other rows.

    Args:
        weight: (out, in).
        bias: (out,), or None.
    """

    bias: Tensor | None
    ends: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        scales = (weight.abs().amax(dim=1) / LEVELS).clamp(min=torch.finfo(weight.dtype).tiny).double()
        zeros = torch.zeros(len(weight), dtype=torch.long)
        rounded = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        self.product = torch.ops.quantized.linear_prepack(rounded, None)
        self.register_buffer("bias", bias, persistent=False)
        ends = torch.zeros(1, weight.shape[1])
        ends[0, :2] = torch.tensor([1.0, -1.0])[: weight.shape[1]]
        self.register_buffer("ends", ends, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        scale = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-30)
        found = (
            torch.ops.quantized.linear_dynamic(torch.cat([rows / scale, self.ends]), self.product, True)[:-1] * scale
        )
        found = found if self.bias is None else found + self.bias
        return found.view(*x.shape[:-1], found.shape[-1])


def quantized(model: Any) -> Any:
    """A copy of the model whose linear layers multiply in int8.

    Raises:
        ConfigError: If this build of torch has no int8 products, or the model has no linear layers.
    """
    made, n_layers = copy.deepcopy(model), 0
    with warnings.catch_warnings():
        # torch warns that torchao replaces these products; torchao's are slow unless compiled.
        warnings.filterwarnings("ignore", message=".*quantize", category=UserWarning)
        for module in list(made.modules()):
            for name, inner in list(module.named_children()):
                if (weight := _weight(inner)) is not None:
                    setattr(module, name, _layer(weight, inner.bias))
                    n_layers += 1
    if not n_layers:
        raise ConfigError(f"encoder.precision=int8: {type(model).__name__} has no linear layers; use float32.")
    return made


def _weight(module: nn.Module) -> Tensor | None:
    """(out, in) of a linear layer, None of any other."""
    from transformers.pytorch_utils import Conv1D

    if isinstance(module, nn.Linear):
        return module.weight.detach()
    return module.weight.detach().T.contiguous() if isinstance(module, Conv1D) else None  # GPT-2's linear layer


def _layer(weight: Tensor, bias: Tensor | None) -> Int8Linear:
    try:
        return Int8Linear(weight, None if bias is None else bias.detach())
    except (AttributeError, RuntimeError) as error:
        raise ConfigError(
            f"encoder.precision=int8: torch {torch.__version__} has no int8 products here ({error}); use float32."
        ) from error
