"""Checked answers to many prompts, from the cache or from a model; answers that fail the check are requested again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from recsys.language_models.answer_store import AnswerStore, ModelAnswer, spent
from recsys.language_models.token_budget import TokenBudget

# Receives the rows of prompts and their answers.
Keep = Callable[[Sequence[int], Sequence[ModelAnswer]], None]


class Generator(Protocol):
    """A language model that answers prompts: on this machine, or at a server."""

    name: str
    n_calls: int

    def check(self) -> None:
        """Raise an error for a model that cannot be used; nothing is loaded."""

    def identity(self) -> dict[str, Any]:
        """Everything that answers depend on, except the prompt."""

    def parameters(self) -> dict[str, Any]:
        """The parameters of generation."""

    def open(self, cache_dir: Path) -> None:
        """Load what is needed."""

    def count_tokens(self, prompts: Sequence[str]) -> int:
        """Tokens of the prompts, or an estimate of them."""

    def generate(self, prompts: Sequence[str], attempt: int, keep: Keep, budget: TokenBudget) -> None:
        """Answer the prompts, and pass on the answers as soon as they are there."""


@dataclass
class Answers:
    """Checked answers and their cost.

    Attributes:
        checked: Results of the check by prompt; prompts without a passing attempt are missing.
        prompt_tokens: Tokens of the prompts of all calls, cached ones included.
        completion_tokens: Tokens of the answers of all calls.
        n_calls: Number of calls, cached ones included.
        n_new_calls: Number of calls that were not cached.
    """

    checked: dict[str, Any] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    n_calls: int = 0
    n_new_calls: int = 0


def answer_store(generator: Generator, cache_dir: Path | None) -> AnswerStore:
    """The store of a model's answers, by the content of the model and its parameters."""
    name = hashlib.sha256(json.dumps(generator.identity(), sort_keys=True).encode()).hexdigest()[:32]
    return AnswerStore(None if cache_dir is None else cache_dir / "written" / f"{name}.sqlite")


def answer_all(
    generator: Generator,
    prompts: Sequence[str],
    check: Callable[[str], Any],
    store: AnswerStore,
    budget: TokenBudget,
    max_attempts: int = 3,
    done: Callable[[int], object] = int,
) -> Answers:
    """Answers to the distinct prompts; each attempt is stored at once.

    Args:
        generator: The model; it must be open unless all answers are stored.
        prompts: The prompts; equal ones are sent once.
        check: Turns an answer into a result; None if the answer fails and is requested again.
        store: Store of the generator's answers.
        budget: Budget of new calls; answers in the store cost nothing.
        max_attempts: Number of attempts of one prompt.
        done: Called with the number of prompts that are finished.

    Raises:
        BudgetError: If the budget is used up; the answers so far are in the store.
    """
    made, open_prompts = Answers(), list(dict.fromkeys(prompts))
    before = generator.n_calls
    for attempt in range(max_attempts):
        found = store.find(open_prompts, attempt)
        _count(made, found)
        done(_take(made, found, check))
        missing = [prompt for prompt in open_prompts if prompt not in found]

        if missing:
            generator.generate(missing, attempt, _keeper(made, store, missing, attempt, check, done), budget)
        open_prompts = [prompt for prompt in open_prompts if prompt not in made.checked]
    made.n_new_calls = generator.n_calls - before
    return made


def _keeper(
    made: Answers,
    store: AnswerStore,
    prompts: Sequence[str],
    attempt: int,
    check: Callable[[str], Any],
    done: Callable[[int], object],
) -> Keep:
    """Keeps answers in the store, and takes those that pass."""

    def keep(rows: Sequence[int], answers: Sequence[ModelAnswer]) -> None:
        asked = [prompts[row] for row in rows]
        store.add(asked, attempt, answers)
        new = dict(zip(asked, answers, strict=True))
        _count(made, new)
        done(_take(made, new, check))

    return keep


def _count(made: Answers, answers: Mapping[str, ModelAnswer]) -> None:
    read, wrote = spent(answers.values())
    made.prompt_tokens, made.completion_tokens = made.prompt_tokens + read, made.completion_tokens + wrote
    made.n_calls += len(answers)


def _take(made: Answers, answers: Mapping[str, ModelAnswer], check: Callable[[str], Any]) -> int:
    """Keep the answers that pass; returns their number."""
    passed = {prompt: result for prompt, answer in answers.items() if (result := check(answer.text)) is not None}
    made.checked |= passed
    return len(passed)
