"""A prompt that lists all candidates of a user, each with a letter, and asks for the letter of the next item."""

from __future__ import annotations

from enum import IntEnum
from string import ascii_uppercase

import torch
from torch import Tensor

from recsys.language_models.causal import CausalLM
from recsys.language_models.loading import stand_in
from recsys.language_models.token_lists import TokenLists, Tokens
from recsys.rankers.prompts import BREAK, MARK, Prompt
from recsys.schema import ConfigError, ItemTexts

LETTERS = ascii_uppercase
ANSWER = "Answer:"


class ListPart(IntEnum):
    """Parts of the prompt other than items; numbered after the items of the history and the candidates."""

    START = 0
    INSTRUCTION = 1
    QUESTION = 2
    ANSWER = 3
    LETTER = 4  # the first of them


class ListTokens:
    """Lists of candidates as tokens, and the label tokens of their letters.

    Args:
        prompt: How items become text.
        texts: The items' texts.
        language_model: An open model.

    Attributes:
        labels: (26,) the token of each letter as the answer, which follows the prompt's last token.

    Raises:
        ConfigError: If the letters have no such tokens, or two letters have the same one.
    """

    def __init__(self, prompt: Prompt, texts: ItemTexts, language_model: CausalLM) -> None:
        named = texts.titles() if prompt.item_text == "title" else texts.texts()
        tokenizer = language_model.tokenizer
        items = language_model.tokens([f" {text}" for text in named], prompt.max_item_tokens, of_data=True)
        items = [ids or [stand_in(tokenizer)] for ids in items]
        instruction = prompt.instruction and f"{prompt.instruction}{BREAK}"
        fixed = [instruction, f"{prompt.list_question}{BREAK}", ANSWER, *(f"{letter}." for letter in LETTERS)]
        mark, end, *others = language_model.tokens([MARK, BREAK, *fixed])
        history, candidates = ([*mark, *ids, *end] for ids in items), ([*ids, *end] for ids in items)
        self.n_items, self.max_length = len(named), language_model.max_length
        others[ListPart.ANSWER - 1], labels = _answers(language_model)
        self.lists = TokenLists([*history, *candidates, language_model.start, *others])
        self.labels = torch.tensor(labels)

    def prompts(self, history: Tensor, items: Tensor, mask: Tensor) -> Tokens:
        """Prompts of users with a history (B, n), the newest last, -1 for none; and candidates (B, N) where `mask`.

        Raises:
            ConfigError: If a prompt is longer than the model's context.
        """
        letters = self._part(ListPart.LETTER) + torch.arange(items.shape[1]).expand_as(items)
        pairs = torch.stack([letters, items + self.n_items], dim=2)
        listed = pairs.masked_fill(~mask.unsqueeze(2), -1).flatten(1)
        before = torch.tensor([[self._part(ListPart.START), self._part(ListPart.INSTRUCTION)]]).expand(len(items), -1)
        question, answer = (
            torch.full((len(items), 1), self._part(part)) for part in (ListPart.QUESTION, ListPart.ANSWER)
        )
        made = self.lists.joined(torch.cat([before, history, question, listed, answer], dim=1))
        longest = int(made.lengths.max()) if len(made) else 0
        if longest > self.max_length:
            raise ConfigError(
                f"ranker.prompt: a list of {items.shape[1]} candidates has {longest} tokens, and the model reads "
                f"{self.max_length}: lower ranker.top_n, ranker.prompt.n_history or max_item_tokens."
            )
        return made

    def _part(self, part: ListPart) -> int:
        return 2 * self.n_items + part


def _answers(language_model: CausalLM) -> tuple[list[int], list[int]]:
    """The tokens of the prompt's end, and the token of each letter after it.

    End and letter are tokenised together, since tokenizers such as Llama 2's add a space to each text. If all letters
    begin with the same token, such as that of a space, it belongs to the end.
    """
    whole = language_model.tokens([f"{ANSWER} {letter}" for letter in LETTERS])
    ends, labels = [ids[:-1] for ids in whole], [ids[-1] for ids in whole]
    if any(end != ends[0] for end in ends) or len(set(labels)) < len(LETTERS):
        raise ConfigError(
            f"ranker.score=letters: the tokenizer of {language_model.weights} has no token for each letter after "
            f'"{ANSWER}". Use ranker.score=yes_no, or another language model.'
        )
    return ends[0], labels
