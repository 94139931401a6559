"""Prompts as texts, and scores of candidates from a server's log-probabilities."""

from __future__ import annotations

from string import ascii_uppercase

import torch
from torch import Tensor

from recsys.language_models.label_endpoint import LabelEndpoint
from recsys.rankers.list_prompts import ANSWER
from recsys.rankers.prompts import BREAK, MARK, PLACE, Prompt, item_names
from recsys.schema import ItemTexts

CHARACTERS = 4  # of a token, roughly: texts are truncated without the server's tokenizer
YES_NO = ["yes", "no"]


class TextPrompts:
    """The prompts of `PromptTokens` and `ListTokens` as texts.

    Args:
        prompt: How items become text. Texts are truncated to `max_item_tokens` times `CHARACTERS` characters.
        texts: The items' texts.

    Raises:
        ConfigError: If no item has a text.
    """

    def __init__(self, prompt: Prompt, texts: ItemTexts) -> None:
        self.prompt = prompt
        self.names = [text[: CHARACTERS * prompt.max_item_tokens] for text in item_names(prompt, texts)]
        self.instruction = prompt.instruction and f"{prompt.instruction}{BREAK}"

    def lists(self, history: Tensor, items: Tensor, mask: Tensor) -> list[str]:
        """Prompts of users with a history (n, h), -1 for none, and candidates (n, N) where `mask`."""
        rows = zip(history.tolist(), items.tolist(), mask.tolist(), strict=True)
        return [f"{self._before(past)}{self._listed(own, shown)}{ANSWER}" for past, own, shown in rows]

    def questions(self, history: Tensor, examples: Tensor, owners: Tensor, items: Tensor) -> list[str]:
        """Questions about the candidates `items` (n,) of the users `owners` (n,), rows of the histories (B, h).

        Args:
            history: Items, -1 for none.
            examples: (E, h + 1) items of the few-shot histories, which are in every prompt.
            owners: Rows of `history`.
            items: The candidates.
        """
        told = examples[(examples >= 0).any(dim=1)].tolist()
        shots = "".join(f"{self._before(past)}{BREAK}" for past in told)
        before, after = self.prompt.question.split(PLACE)
        starts = [f"{shots}{self._before(past)}{before}" for past in history.tolist()]
        pairs = zip(owners.tolist(), items.tolist(), strict=True)
        return [f"{starts[owner]} {self.names[item]}{after}" for owner, item in pairs]

    def _before(self, history: list[int]) -> str:
        lines = (f"{MARK} {self.names[item]}{BREAK}" for item in history if item >= 0)
        return f"{self.instruction}{''.join(lines)}"

    def _listed(self, items: list[int], shown: list[bool]) -> str:
        rows = zip(ascii_uppercase, items, shown, strict=False)
        lines = (f"{letter}. {self.names[item]}{BREAK}" for letter, item, is_shown in rows if is_shown)
        return f"{self.prompt.list_question}{BREAK}{''.join(lines)}"


class ServerScores:
    """Scores of candidates from a server.

    Args:
        prompts: The prompts as texts.
        server: An open server.
    """

    def __init__(self, prompts: TextPrompts, server: LabelEndpoint) -> None:
        self.prompts, self.server = prompts, server

    def of_lists(self, history: Tensor, items: Tensor, mask: Tensor) -> Tensor:
        """Log-probabilities (n, N) of the letters of the candidates (n, N), among those where `mask`; 0 elsewhere."""
        labels = ascii_uppercase[: items.shape[1]]
        found = self.server.log_probabilities(self.prompts.lists(history, items, mask), labels)
        return found.masked_fill(~mask, -torch.inf).log_softmax(dim=1).masked_fill(~mask, 0.0)

    def of_pairs(self, history: Tensor, examples: Tensor, owners: Tensor, items: Tensor) -> Tensor:
        """The log-odds (n,) of yes against no in answer to the question; see `TextPrompts.questions`."""
        found = self.server.log_probabilities(self.prompts.questions(history, examples, owners, items), YES_NO)
        return found[:, 0] - found[:, 1]
