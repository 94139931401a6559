"""Scores of candidates by a language model on this machine, from prompts as tokens."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from recsys.language_models.causal import CausalLM
from recsys.language_models.continuations import log_odds, mean_log_likelihood, score_continuations
from recsys.language_models.label_training import letter_scores
from recsys.rankers.list_prompts import ListTokens
from recsys.rankers.prompts import PromptTokens
from recsys.schema import ConfigError

ANSWERS = [" yes", " no"]


class LocalScores:
    """Scores of candidates.

    Args:
        language_model: An open model.
        tokens: The items as tokens.
        list_tokens: Returns the lists of candidates as tokens.
        asks: Whether the answer to a question is scored instead of the candidate's likelihood.
    """

    def __init__(
        self, language_model: CausalLM, tokens: PromptTokens, list_tokens: Callable[[], ListTokens], asks: bool
    ) -> None:
        self.language_model, self.tokens, self.list_tokens = language_model, tokens, list_tokens
        self.reduce = log_odds(*yes_no(language_model)) if asks else mean_log_likelihood

    def of_lists(self, history: Tensor, items: Tensor, mask: Tensor) -> Tensor:
        """Log-probabilities (n, N) of the letters of the candidates (n, N), among those where `mask`; 0 elsewhere."""
        lists, model = self.list_tokens(), self.language_model
        prompts = lists.prompts(history, items, mask)
        return letter_scores(model.model, prompts, lists.labels[: items.shape[1]], mask, model.batch_tokens)

    def of_pairs(self, history: Tensor, examples: Tensor, owners: Tensor, items: Tensor) -> Tensor:
        """Scores (n,) of the candidates `items` (n,) of the users `owners` (n,), rows of the histories (B, h).

        Args:
            history: Items, -1 for none.
            examples: (E, h + 1) items of the few-shot histories, which are in every prompt.
            owners: Rows of `history`.
            items: The candidates.
        """
        prefixes, continuations = self.tokens.prefixes(history, examples), self.tokens.continuations(items)
        model = self.language_model
        return score_continuations(model.model, prefixes, owners, continuations, self.reduce, model.batch_tokens)


def yes_no(language_model: CausalLM) -> list[int]:
    """The first tokens by which the answers yes and no differ.

    Some tokenizers, such as that of Llama 2, begin both answers with the same token of white space.

    Raises:
        ConfigError: If one answer is the beginning of the other.
    """
    pairs = zip(*language_model.tokens(ANSWERS), strict=False)
    differing = next(([yes, no] for yes, no in pairs if yes != no), None)
    if differing is None:
        raise ConfigError(
            f"ranker.score=yes_no: the tokenizer of {language_model.weights} has the same tokens for yes and no. Use "
            "another language model."
        )
    return differing
