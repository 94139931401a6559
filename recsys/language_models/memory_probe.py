"""Memorisation by a causal language model: whether it completes texts better than chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recsys.language_models.causal import CausalLM
from recsys.language_models.continuations import mean_log_likelihood, score_continuations
from recsys.language_models.generation import continued, ends_of
from recsys.language_models.lengths import length_batches
from recsys.language_models.loading import stand_in
from recsys.language_models.token_lists import TokenLists, Tokens

MAX_TOKENS = 48  # of a continuation
WRITTEN_TOKENS = 24  # of a text that the model writes


class MemoryProbe:
    """Which of k continuations a language model finds the most probable after each of k prefixes.

    The continuations of a group belong to its prefixes, one to each. A score is the mean log-probability of a
    continuation's tokens, less the mean score of this continuation after all prefixes of the group. So a text that is
    likely after every prefix has no advantage, and a model that knows nothing is right in 1 / k of all cases.

    Args:
        language_model: Opened at the first use.
    """

    def __init__(self, language_model: CausalLM) -> None:
        self.language_model = language_model
        language_model.check()

    def hits(
        self, prefixes: Sequence[str], continuations: Sequence[str], groups: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """(g, k) whether the true continuation is the most probable one; a tie is not.

        Args:
            prefixes: (n,) not empty.
            continuations: (n,) their true continuations, not empty, with the white space before them.
            groups: (g, k) rows of the texts, in groups of texts of the same shape.
        """
        n_groups, k = groups.shape
        if not n_groups:
            return np.zeros((0, k), dtype=np.bool_)
        model = self.language_model
        rows = torch.from_numpy(groups)
        owners = rows.repeat_interleave(k, dim=1).flatten()  # each prefix k times
        chosen = rows.repeat(1, k).flatten()  # all continuations of the group, after each of its prefixes
        before, after = self._tokens(prefixes, True), self._tokens(continuations, False)
        scores = score_continuations(
            model.model, before, owners, after[chosen], mean_log_likelihood, model.batch_tokens
        ).view(n_groups, k, k)
        return most_probable(scores.double().numpy())

    def write(self, prefixes: Sequence[str]) -> list[str]:
        """(n) the most probable texts after the prefixes (greedy), up to the end of the line.

        Args:
            prefixes: (n,) not empty.
        """
        model = self.language_model
        start, ends = model.start, ends_of(model.model, model.tokenizer)
        encoded = [[*start, *own] for own in model.tokens(prefixes)]
        lengths = np.array([len(own) + WRITTEN_TOKENS for own in encoded], dtype=np.int64)
        texts = [""] * len(encoded)
        for batch in length_batches(lengths, model.batch_tokens):
            found = continued(model.model, [encoded[row] for row in batch], WRITTEN_TOKENS, ends)
            for row, text in zip(batch, model.tokenizer.batch_decode(found, skip_special_tokens=True), strict=True):
                texts[row] = text.strip().partition("\n")[0]
        return texts

    def open(self, cache_dir: Path) -> MemoryProbe:
        """Load the language model."""
        self.language_model.open(cache_dir)
        return self

    def _tokens(self, texts: Sequence[str], begins: bool) -> Tokens:
        start, nothing = self.language_model.start, [stand_in(self.language_model.tokenizer)]
        ids = self.language_model.tokens(texts, MAX_TOKENS if not begins else None)
        lists = TokenLists([[*(start if begins else []), *(own or nothing)] for own in ids])
        return lists.joined(torch.arange(len(texts)).unsqueeze(1))


def most_probable(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(g, k) whether the continuation that belongs to a prefix has the highest centred score after it.

    Args:
        scores: (g, k, k) of each prefix and each continuation of a group; those on the diagonal belong together.

    Example:
        >>> most_probable(np.array([[[-1.0, -3.0], [-1.5, -2.0]]])).tolist()  # the first is likelier after both
        [[True, True]]
    """
    centred = scores - scores.mean(axis=1, keepdims=True)
    true = np.einsum("gkk->gk", centred)
    others = centred.copy()
    diagonal = np.arange(scores.shape[1])
    others[:, diagonal, diagonal] = -np.inf
    return np.asarray(true > others.max(axis=2))
