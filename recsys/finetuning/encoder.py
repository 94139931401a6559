"""Text vectors computed by a trained transformer: the common part of the modes that train its weights."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from recsys.encoders.network import TextNetwork, find_blocks
from recsys.finetuning.base import EncodedItems, FineTuning, TextVectors
from recsys.layers.lookup import take_rows
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

CLOSE = 1e-3  # of the largest value: cached vectors may be from another device


class EncoderFineTuning(FineTuning):
    """Trains a transformer, or a part of it.

    Args:
        learning_rate: Learning rate of the transformer's last layer.
        layer_decay: Each layer has this times the learning rate of the one above it; 1 for the same in all layers.
        warmup_steps: Number of steps over which the transformer's learning rates rise linearly.
        gradient_checkpointing: Whether states are recomputed in the backward pass, for less memory and more time.

    Raises:
        ConfigError: If a value is impossible.
    """

    def __init__(
        self,
        learning_rate: float = 2e-5,
        layer_decay: float = 1.0,
        warmup_steps: int = 0,
        gradient_checkpointing: bool = False,
    ) -> None:
        check_number("finetune.learning_rate", learning_rate, above=0)
        check_number("finetune.layer_decay", layer_decay, above=0, at_most=1)
        check_whole("finetune.warmup_steps", warmup_steps, 0)
        self.learning_rate, self.layer_decay, self.warmup_steps = learning_rate, layer_decay, warmup_steps
        self.gradient_checkpointing = gradient_checkpointing

    @abstractmethod
    def choose(self, network: TextNetwork) -> TextNetwork:
        """The network whose only parameters are the trained weights; `freeze` removes the others.

        Raises:
            ConfigError: If the network has no such weights.
        """

    def text_vectors(self, items: EncodedItems) -> TextVectors:
        places: dict[str, int] = {}
        text_of = torch.tensor([places.setdefault(text, len(places)) for text in items.texts])
        network = self.choose(items.encoder().network(list(places))).cpu()
        network.recompute = self.gradient_checkpointing
        _check_same(network, text_of, items.vectors)
        return EncodedVectors(items.vectors, network.train(), text_of, self._groups(network.model, network.blocks))

    def adapt(self, model: Any) -> list[dict[str, Any]]:
        chosen = self.chosen(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in chosen)
        if self.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        return self._groups(model, lambda: find_blocks(model))

    def chosen(self, model: Any) -> set[str]:
        """Names of the trained parameters of a whole transformer; all by default."""
        return {name for name, _ in model.named_parameters()}

    def _groups(self, model: Any, blocks: Callable[[], tuple[str, nn.ModuleList]]) -> list[dict[str, Any]]:
        by_rate: dict[float, list[nn.Parameter]] = defaultdict(list)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                below_top = 0 if self.layer_decay == 1 else layers_above(name, *blocks())
                by_rate[self.learning_rate * self.layer_decay**below_top].append(parameter)
        warm_up = {"warmup_steps": self.warmup_steps} if self.warmup_steps else {}
        return [{"params": parameters, "lr": rate, **warm_up} for rate, parameters in by_rate.items()]


class EncodedVectors(TextVectors):
    """Vectors that the trained network computes, normalized by the statistics of the vectors before training.

    In each call every distinct text is encoded once.

    Args:
        vectors: (n_items, text_dim) of the items before training.
        network: Encodes distinct texts by index.
        text_of: (n_items,) the index of each item's text.
        groups: The optimizer's parameter groups of the network.
    """

    text_of: Tensor
    mean: Tensor
    scale: Tensor
    matrix: Tensor | None
    costly = True

    def __init__(self, vectors: Tensor, network: TextNetwork, text_of: Tensor, groups: list[dict[str, Any]]) -> None:
        super().__init__(vectors)
        self.network, self.groups = network, groups
        self.register_buffer("text_of", text_of, persistent=False)
        self.register_buffer("mean", torch.zeros(self.dim), persistent=False)
        self.register_buffer("scale", torch.ones(self.dim), persistent=False)
        self.register_buffer("matrix", None, persistent=False)

    @property
    def dim(self) -> int:
        return len(self.mean) if "mean" in self._buffers else super().dim

    def normalize(self, mean: Tensor, scale: Tensor) -> None:
        self.mean, self.scale = mean.float(), scale.float().expand_as(mean).contiguous()

    def transform(self, mean: Tensor, matrix: Tensor) -> None:
        self.mean, self.matrix = mean.float(), matrix.float()

    def forward(self, idx: Tensor) -> Tensor:
        texts, rows = torch.unique(take_rows(self.text_of, idx), return_inverse=True)
        vectors = self.network(texts)[:, : self.dim] - self.mean
        return take_rows(vectors * self.scale if self.matrix is None else vectors @ self.matrix, rows)

    def catalogue(self) -> Tensor:
        return self(torch.arange(self.n_items, device=self.text_of.device))

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{**group, "params": list(group["params"])} for group in self.groups]


def freeze(model: nn.Module, frozen: set[str]) -> None:
    """Turn parameters into buffers without gradients, which are not saved: a reloaded run has them from its encoder.

    Args:
        model: The model, changed in place.
        frozen: Names of the parameters to freeze.
    """
    for module_name, module in list(model.named_modules()):
        for name, parameter in list(module.named_parameters(recurse=False)):
            if f"{module_name}.{name}".lstrip(".") in frozen:
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)


def layers_above(parameter: str, stack: str, blocks: nn.ModuleList) -> int:
    """Number of layers above a parameter: 0 in and after the last layer, the number of all layers for embeddings.

    Args:
        parameter: Its name in the model.
        stack: The name of the module list of the model's layers.
        blocks: This list.

    Example:
        >>> stack = "encoder.layer", nn.ModuleList(nn.Linear(1, 1) for _ in range(6))
        >>> names = ("encoder.layer.5.bias", "encoder.layer.4.bias", "embeddings.LayerNorm.bias", "norm.weight")
        >>> [layers_above(name, *stack) for name in names]
        [0, 1, 6, 0]
    """
    if parameter.startswith(f"{stack}."):
        return len(blocks) - 1 - int(parameter[len(stack) + 1 :].split(".")[0])
    below = any(part.startswith(("embed", "wte", "wpe", "tok_embeddings")) for part in parameter.split("."))
    return len(blocks) if below else 0


@torch.no_grad()
def _check_same(network: TextNetwork, text_of: Tensor, vectors: Tensor) -> None:
    """Raise an error if the network's vectors are not those of the frozen encoder."""
    # The longest text is among them, since local attention may differ in long texts only.
    longest = torch.from_numpy(network.lengths)[text_of].argmax().view(1)
    rows = torch.cat([torch.arange(min(7, len(text_of))), longest])
    texts, expected = text_of[rows].unique(return_inverse=True)
    difference = (network.eval()(texts)[expected] - vectors[rows]).abs().max()
    if not difference <= CLOSE * vectors[rows].abs().max():
        raise ConfigError(
            f"finetune: {type(network.model).__name__} gives vectors that differ by {float(difference):.2g} from the "
            "frozen encoder's before any training. Use finetune=full, lora or delta for this architecture."
        )
