"""A prompt about a user: an instruction, then the newest items of the history, one per line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from recsys.language_models.causal import CausalLM
from recsys.language_models.loading import stand_in
from recsys.language_models.token_lists import TokenLists, Tokens
from recsys.schema import ConfigError, ItemTexts, TrainInteractions, UserBatch
from recsys.support.number_checks import check_whole

PLACE = "{text}"
MARK, BREAK = "-", "\n"  # before the text of an item, and after it
FIELDS = ("title", "text")


@dataclass(frozen=True)
class Prompt:
    """How users and items become text.

    The lines of the history follow the instruction, the oldest first, each as "- title"; the candidate is the next
    line. With a question, the candidate's text replaces `{text}` in the question.

    Attributes:
        instruction: The line before the history; none if it is empty.
        question: With `{text}` for the candidate; used if the answer is scored.
        item_text: "title" (the whole text where the data has no titles) or "text".
        n_history: Number of a history's newest items in the prompt.
        n_examples: Number of train users' histories before the user's own (few-shot); 0 for none. With fine-tuning,
            these histories end before the targets of the training.
        max_item_tokens: Item texts are truncated to so many tokens.
        list_question: The line before a list of candidates with letters; used if a letter is the answer.

    Raises:
        ConfigError: If a value is impossible.
    """

    instruction: str = ""
    question: str = ""
    item_text: str = "title"
    n_history: int = 10
    n_examples: int = 0
    max_item_tokens: int = 32
    list_question: str = "Which of these would the same person choose next?"

    def __post_init__(self) -> None:
        for key, minimum in {"n_history": 1, "n_examples": 0, "max_item_tokens": 1}.items():
            check_whole(f"ranker.prompt.{key}", getattr(self, key), minimum)
        if self.item_text not in FIELDS:
            raise ConfigError(f"ranker.prompt.item_text is {self.item_text!r}; expected {' or '.join(FIELDS)}.")
        if self.question.count(PLACE) != 1:
            raise ConfigError(f"ranker.prompt.question is {self.question!r}; expected a text with {PLACE} once in it.")


def item_names(prompt: Prompt, texts: ItemTexts) -> list[str]:
    """The titles, or the whole texts, of all items.

    Raises:
        ConfigError: If no item has a text.
    """
    named = list(texts.titles() if prompt.item_text == "title" else texts.texts())
    if not any(text.strip() for text in named):
        raise ConfigError(
            "ranker=prompt reads the items' texts, and the data has none: set their columns (data.items.template), or "
            "use another ranker."
        )
    return named


class Part(IntEnum):
    """Parts of a prompt other than items; numbered after the items."""

    START = 0  # the beginning of a text
    INSTRUCTION = 1
    BREAK = 2
    TAIL = 3  # between the history and the candidate


class PromptTokens:
    """Items and the parts of a prompt as tokens.

    Args:
        prompt: How users and items become text.
        texts: The items' texts.
        language_model: An open model.
        asks: Whether the candidate's text is part of a question.

    Raises:
        ConfigError: If no item has a text, or a prompt may be longer than the model's context.
    """

    def __init__(self, prompt: Prompt, texts: ItemTexts, language_model: CausalLM, asks: bool) -> None:
        named = item_names(prompt, texts)
        before, after = prompt.question.split(PLACE) if asks else (MARK, "")
        tokenizer = language_model.tokenizer
        items = language_model.tokens([f" {text}" for text in named], prompt.max_item_tokens, of_data=True)
        items = [ids or [stand_in(tokenizer)] for ids in items]
        told = prompt.instruction and f"{prompt.instruction}{BREAK}"
        instruction, broken, mark, tail, end = language_model.tokens([told, BREAK, MARK, before, after])
        parts = {
            Part.START: language_model.start,
            Part.INSTRUCTION: instruction,
            Part.BREAK: broken,
            Part.TAIL: tail or mark,
        }
        self.n_items, self.n_history = len(named), prompt.n_history
        self.lines = TokenLists([*([*mark, *ids, *broken] for ids in items), *(parts[part] for part in Part)])
        self.candidates = TokenLists([[*ids, *end] for ids in items])
        self._check_length(prompt, language_model)

    def prefixes(self, history: Tensor, examples: Tensor) -> Tokens:
        """The prompt before a candidate, for each user.

        Args:
            history: (B, n) items of the users' histories, the newest last; -1 for none.
            examples: (E, n) items of the few-shot histories, which are in every prompt.
        """
        told = [self._parts(Part.START)]
        for example in examples[(examples >= 0).any(dim=1)]:
            told += [self._parts(Part.INSTRUCTION), example, self._parts(Part.BREAK)]
        fixed = torch.cat([*told, self._parts(Part.INSTRUCTION)])
        tail = self._parts(Part.TAIL).expand(len(history), -1)
        return self.lines.joined(torch.cat([fixed.expand(len(history), -1), history, tail], dim=1))

    def continuations(self, items: Tensor) -> Tokens:
        """The candidates `items` (n,)."""
        return self.candidates.joined(items.unsqueeze(1))

    def _parts(self, *parts: Part) -> Tensor:
        return torch.tensor([self.n_items + part for part in parts])

    def _check_length(self, prompt: Prompt, language_model: CausalLM) -> None:
        longest_line = int(self.lines.lengths[: self.n_items].max())
        around = int(self.lines.lengths[self.n_items :].sum())
        told = around + prompt.n_history * longest_line
        needed = told + prompt.n_examples * (told + longest_line) + int(self.candidates.lengths.max())
        if needed > language_model.max_length:
            raise ConfigError(
                f"ranker.prompt: {prompt.n_history} items of the history and {prompt.n_examples} examples may take "
                f"{needed} tokens, and the model reads {language_model.max_length}: lower ranker.prompt.n_history, "
                "n_examples or max_item_tokens."
            )


def newest(users: UserBatch, n: int) -> Tensor:
    """(B, n) the newest items of users' histories, the newest last; -1 before them if there are fewer."""
    order = users.history_mask.long().argsort(dim=1, stable=True)  # masked entries first
    items = users.history.masked_fill(~users.history_mask, -1).gather(1, order)
    missing = max(0, n - items.shape[1])
    return torch.cat([items.new_full((len(items), missing), -1), items[:, max(0, items.shape[1] - n) :]], dim=1)


def turned(users: UserBatch, n: int) -> UserBatch:
    """The same users with only the `n` newest items of their histories, in reverse order."""
    history = newest(users, n).flip(1)
    return UserBatch(users.idx, history.clamp(min=0), history >= 0)


def drawn_examples(train: TrainInteractions, n: int, length: int) -> Tensor:
    """(n, length) the newest items of random train users with two or more; -1 for none."""
    drawn = torch.full((n, length), -1)
    able = np.flatnonzero(np.bincount(train.users, minlength=train.n_users) >= 2)
    chosen = np.random.default_rng(train.seed).permutation(able)[:n]
    if not len(chosen):
        return drawn
    order = np.arange(len(train.items)) if train.timestamps is None else np.argsort(train.timestamps, kind="stable")
    items, owners = (torch.from_numpy(column[order]) for column in (train.items, train.users))
    drawn[: len(chosen)] = examples_of(chosen.tolist(), items, owners, length)
    return drawn


def examples_of(users: Sequence[int], items: Tensor, owners: Tensor, n: int) -> Tensor:
    """(E, n) the newest items of `users`, from interactions in order of time: `items` and `owners` (t,)."""
    rows = [items[owners == user][-n:] for user in users]
    return torch.stack([torch.nn.functional.pad(row, (n - len(row), 0), value=-1) for row in rows])
