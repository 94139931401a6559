"""LoRA fine-tuning of a text encoder in a recommender, as one writes it over peft and `AutoModel` without a framework.

Every occurrence of an item in a batch is encoded, in one forward pass that is padded to the batch's longest text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from recsys.finetuning.encoder import EncodedVectors
from recsys.schema import TrainBatch
from recsys.training.negatives import Negatives
from recsys.training.recommender import Recommender

BASE = "base_model.model."  # before the model's own names in peft's


class PlainLora(nn.Module):
    """Mean-pooled texts, centred, projected; a user is the mean of the history; in-batch softmax with logQ.

    Args:
        folder: Of the encoder's weights.
        texts: Of all items.
        max_length: Tokens of a text.
        lora: Rank, alpha and dropout, as peft names them.
        start: The model whose initial weights it takes over.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, folder: Path, texts: Sequence[str], max_length: int, lora: dict[str, Any], start: Recommender
    ) -> None:
        super().__init__()
        assert start.features is not None
        text = start.features.text
        assert isinstance(text, EncodedVectors)
        self.texts, self.max_length = texts, max_length
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.encoder = get_peft_model(AutoModel.from_pretrained(folder, dtype=torch.float32), LoraConfig(**lora))
        ours = dict(text.network.model.named_parameters())
        with torch.no_grad():
            for name, weight in self.encoder.named_parameters():
                if weight.requires_grad:
                    weight.copy_(ours.pop(name.removeprefix(BASE)))
        assert not ours, f"the plain loop does not train {next(iter(ours))}"
        projection = start.features.projection[1]  # type: ignore[index]
        self.projection = nn.Linear(projection.in_features, projection.out_features)
        self.projection.load_state_dict(projection.state_dict())
        self.register_buffer("mean", text.mean)
        self.register_buffer("scale", text.scale)

    def forward(self, batch: TrainBatch, negatives: Negatives) -> Tensor:
        """The loss of a batch."""
        mask = batch.users.history_mask
        vectors = self._encode(torch.cat([batch.positives, batch.users.history[mask]]))
        positives, read = vectors.split([len(batch.positives), int(mask.sum())])
        history = vectors.new_zeros(*mask.shape, vectors.shape[1])
        history[mask] = read
        users = history.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        assert negatives.log_q is not None
        positive = (users * positives).sum(dim=1) - negatives.log_q
        negative = (users @ positives.T - negatives.log_q).masked_fill(~negatives.mask, -torch.inf)
        return (torch.cat([positive.unsqueeze(1), negative], dim=1).logsumexp(dim=1) - positive).mean()

    def optimizer(self, learning_rate: float, of_lora: float, weight_decay: float) -> torch.optim.Optimizer:
        """AdamW with a learning rate of their own for the adapters."""
        adapters = [weight for weight in self.encoder.parameters() if weight.requires_grad]
        groups: list[dict[str, Any]] = [{"params": list(self.projection.parameters())}]
        groups.append({"params": adapters, "lr": of_lora})
        return torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)

    def _encode(self, items: Tensor) -> Tensor:
        texts = [self.texts[item] for item in items.tolist()]
        options: dict[str, Any] = {"padding": True, "truncation": True, "max_length": self.max_length}
        tokens = self.tokenizer(texts, return_tensors="pt", **options)
        states = self.encoder(**tokens).last_hidden_state
        real = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        pooled = functional.normalize((states * real).sum(dim=1) / real.sum(dim=1), dim=1)
        return self.projection((pooled - self.mean) * self.scale)
