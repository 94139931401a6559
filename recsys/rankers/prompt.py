"""A language model as the ranker: which item is the most likely next line of a user's history."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys.language_models.causal import CausalLM
from recsys.language_models.continuations import Reduce, log_odds, mean_log_likelihood, score_continuations
from recsys.rankers.base import Diagnosable, Fittable, OwnItems, Ranker, SharedItems, UserSide
from recsys.rankers.biases import mean_spearman
from recsys.rankers.prompts import Prompt, PromptTokens, examples_of, newest, turned
from recsys.rankers.reranking import FLOOR, best_unseen, in_retrievers_order
from recsys.schema import ConfigError, ModelContext, TrainInteractions, UserBatch
from recsys.support.number_checks import check_whole

SCORES = LIKELIHOOD, YES_NO = "likelihood", "yes_no"
ANSWERS = [" yes", " no"]
PAIRS_AT_ONCE = 50_000  # of users and items, as tokens in memory


class PromptRanker(Ranker, Fittable, Diagnosable):
    """score(u, i) = ℓ(i | newest items of u) − ℓ(i | no items), where ℓ is a language model's, and nothing is trained.

    ℓ is the mean log-probability of the tokens of i's text as the next line of the history, or the log-odds of the
    answer "yes" to a question. The second term, the likelihood of an item's text without a history, is optional.
    Language models that rank without training: Hou et al., "Large Language Models are Zero-Shot
    Rankers for Recommender Systems", ECIR 2024; the correction is the domain-conditional mutual information of Holtzman
    et al., "Surface Form Competition", EMNLP 2021.

    With a retriever, the language model ranks the `top_n` best unseen items of each user, and all others rank below in
    the retriever's order, as all items do for a user without history. Without one it scores all candidates.

    Args:
        context: Sizes of the data, and the items' texts.
        language_model: Which one, opened at the first score.
        prompt: How users and items become text.
        retriever: Makes a ranker that is fitted without gradients and reads no vectors; None to score all candidates.
        top_n: Candidates of each user; of no account without a retriever.
        score: "likelihood" or "yes_no".
        calibrate: Whether the score without history is subtracted.
        n_diagnostic_users: Users of the test by whom biases are measured.

    Raises:
        ConfigError: If a value is unknown or impossible.
    """

    reads_history = True
    examples: Tensor

    def __init__(
        self,
        context: ModelContext,
        language_model: CausalLM,
        prompt: Prompt,
        retriever: Callable[[ModelContext], Ranker] | None = None,
        top_n: int = 20,
        score: str = LIKELIHOOD,
        calibrate: bool = True,
        n_diagnostic_users: int = 50,
    ) -> None:
        super().__init__()
        if score not in SCORES:
            raise ConfigError(f"ranker.score is {score!r}; expected {' or '.join(SCORES)}.")
        check_whole("ranker.top_n", top_n, 2)
        check_whole("ranker.n_diagnostic_users", n_diagnostic_users, 0)
        language_model.check()
        self.n_items, self.counts, self.texts = context.n_items, context.item_counts, context.texts
        self.language_model, self.prompt = language_model, prompt
        self.retriever = None if retriever is None else retriever(context)
        self.top_n, self.asks, self.calibrate = top_n, score == YES_NO, calibrate
        self.n_diagnostic_users = n_diagnostic_users
        self.register_buffer("examples", torch.full((prompt.n_examples, prompt.n_history + 1), -1))
        self.without_history = torch.full((self.n_items,), torch.nan)

    def fit(self, train: TrainInteractions) -> None:
        if isinstance(self.retriever, Fittable):
            self.retriever.fit(train)
        if self.prompt.n_examples:
            self.examples.copy_(self._drawn_examples(train))
        self.without_history.fill_(torch.nan)
        self.tokens  # noqa: B018 (opens the language model now, so that its time is that of solving)

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        if self.retriever is None:
            return self._scores_of_all(users.batch, items.idx)
        return self._reranked(users).gather(1, items.idx)

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        if self.retriever is None:
            return self._scores_of_all(users.batch, items.idx.expand(len(users.batch.idx), -1))
        return self._reranked(users).index_select(1, items.idx)

    def measure(self, users: UserSide, candidates: Tensor | None) -> dict[str, Any]:
        if candidates is None and self.retriever is None:
            return {}  # ranks of all pairs of a whole catalogue would not fit in memory
        items, mask = self._candidates(users) if candidates is None else (candidates.clamp(min=0), candidates >= 0)
        batch = users.batch
        orders = batch, turned(batch, self.prompt.n_history)
        scores, reversed_scores = (self._scores(each, items, mask) for each in orders)
        known = {
            "train_popularity": self.counts[items].double(),
            "likelihood_without_history": self._of_items(items, mask),
            "scores_with_the_history_reversed": reversed_scores,
        }
        measured = {name: mean_spearman(scores, values, mask) for name, values in known.items()}
        return {
            "language_model": self.language_model.identity(),
            "n_users": int((mask.sum(dim=1) > 0).sum()),
            "candidates_mean": float(mask.sum(dim=1).double().mean()),
            "rank_correlation": measured,
        }

    @cached_property
    def tokens(self) -> PromptTokens:
        """The items as tokens; opens the language model.

        Raises:
            ConfigError: If the items have no texts, or the model cannot read the prompt.
        """
        assert self.texts is not None, "the context of a run has them"
        self.language_model.open(self.texts.cache_dir)
        return PromptTokens(self.prompt, self.texts, self.language_model, self.asks)

    @cached_property
    def _reduce(self) -> Reduce:
        if not self.asks:
            return mean_log_likelihood
        yes, no = (ids[0] for ids in self.language_model.tokens(ANSWERS))
        return log_odds(yes, no)

    def _reranked(self, users: UserSide) -> Tensor:
        """Scores (B, n_items) of the whole catalogue."""
        retrieved = self._retrieved(users)
        items, mask = self._candidates(users, retrieved)
        rows, places = mask.nonzero(as_tuple=True)
        scores = self._scores(users.batch, items, mask)[rows, places].clamp(min=FLOOR)
        return in_retrievers_order(retrieved).index_put((rows, items[rows, places]), scores)

    def _retrieved(self, users: UserSide) -> Tensor:
        assert self.retriever is not None
        everything = torch.arange(self.n_items, device=users.batch.idx.device)
        return self.retriever.score_catalogue(users, SharedItems(everything, users.vectors.new_empty(self.n_items, 0)))

    def _candidates(self, users: UserSide, retrieved: Tensor | None = None) -> tuple[Tensor, Tensor]:
        items, mask = best_unseen(self._retrieved(users) if retrieved is None else retrieved, users.batch, self.top_n)
        return items, mask & users.batch.history_mask.any(dim=1, keepdim=True)

    def _scores_of_all(self, users: UserBatch, items: Tensor) -> Tensor:
        return self._scores(users, items, torch.ones_like(items, dtype=torch.bool))

    def _scores(self, users: UserBatch, items: Tensor, mask: Tensor) -> Tensor:
        """Scores (B, N) of users' own items (B, N) where `mask`, and 0 elsewhere."""
        at_once = max(1, PAIRS_AT_ONCE // max(1, items.shape[1]))
        parts = zip(users.split(at_once), items.split(at_once), mask.split(at_once), strict=True)
        scores = torch.cat([self._with_history(*part) for part in parts])
        return scores - self._of_items(items, mask) if self.calibrate else scores

    def _with_history(self, users: UserBatch, items: Tensor, mask: Tensor) -> Tensor:
        owners, _ = mask.nonzero(as_tuple=True)
        history = newest(users, self.prompt.n_history)
        scores = torch.zeros(items.shape, device=items.device)
        return scores.masked_scatter(mask, self._continued(history, owners, items[mask]).to(items.device))

    def _of_items(self, items: Tensor, mask: Tensor) -> Tensor:
        """Scores (B, N) of items (B, N) under an empty history where `mask`, and 0 elsewhere; computed once of each."""
        wanted = items[mask].unique().cpu()
        missing = wanted[self.without_history[wanted].isnan()]
        if len(missing):
            empty = torch.full((1, self.prompt.n_history), -1)
            self.without_history[missing] = self._continued(empty, torch.zeros_like(missing), missing)
        return self.without_history.to(items.device)[items].masked_fill(~mask, 0.0)

    def _continued(self, history: Tensor, owners: Tensor, items: Tensor) -> Tensor:
        if not len(items):
            return torch.empty(0)
        prefixes = self.tokens.prefixes(history.cpu(), self.examples.cpu())
        continuations, model = self.tokens.continuations(items.cpu()), self.language_model
        return score_continuations(model.model, prefixes, owners.cpu(), continuations, self._reduce, model.batch_tokens)

    def _drawn_examples(self, train: TrainInteractions) -> Tensor:
        """(n_examples, n_history + 1) the newest items of random train users with two or more."""
        drawn = torch.full_like(self.examples, -1)
        able = np.flatnonzero(np.bincount(train.users, minlength=train.n_users) >= 2)
        chosen = np.random.default_rng(train.seed).permutation(able)[: len(drawn)]
        if not len(chosen):
            return drawn
        order = np.arange(len(train.items)) if train.timestamps is None else np.argsort(train.timestamps, kind="stable")
        items, owners = (torch.from_numpy(column[order]) for column in (train.items, train.users))
        drawn[: len(chosen)] = examples_of(chosen.tolist(), items, owners, drawn.shape[1])
        return drawn
