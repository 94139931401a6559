"""Answers of language models on disk, by prompt, so that a killed command repeats no call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recsys.language_models.keyed_store import KeyedStore, key_of


@dataclass(frozen=True)
class ModelAnswer:
    """What a language model wrote.

    Attributes:
        text: The answer.
        prompt_tokens: Number of tokens of the prompt; None if the server does not report it.
        completion_tokens: Number of tokens of the answer; None if the server does not report it.
    """

    text: str
    prompt_tokens: int | None
    completion_tokens: int | None


class AnswerStore(KeyedStore):
    """Answers of one model with one choice of parameters; see `KeyedStore`."""

    columns = ("answer TEXT NOT NULL", "prompt_tokens INTEGER", "completion_tokens INTEGER")

    def add(self, prompts: Iterable[str], attempt: int, answers: Iterable[ModelAnswer]) -> None:
        """Store the answers to prompts for an attempt (from 0)."""
        pairs = zip(prompts, answers, strict=True)
        self.put([(_key(p, attempt), a.text, a.prompt_tokens, a.completion_tokens) for p, a in pairs])

    def find(self, prompts: Sequence[str], attempt: int) -> dict[str, ModelAnswer]:
        """The stored answers, by prompt."""
        by_key = {_key(prompt, attempt): prompt for prompt in prompts}
        return {by_key[key]: ModelAnswer(*values) for key, *values in self.rows(list(by_key))}


def _key(prompt: str, attempt: int) -> bytes:
    return key_of(json.dumps([prompt, attempt]))


def spent(answers: Iterable[ModelAnswer]) -> tuple[int, int]:
    """The tokens that were read and written; unknown numbers count as 0."""
    counts = [(answer.prompt_tokens or 0, answer.completion_tokens or 0) for answer in answers]
    return sum(read for read, _ in counts), sum(wrote for _, wrote in counts)
