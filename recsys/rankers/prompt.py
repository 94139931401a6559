"""A language model as the ranker: it scores items as the next line of a user's history."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from string import ascii_uppercase
from typing import Any

import torch
from torch import Tensor

from recsys.language_models.causal import CausalLM
from recsys.language_models.label_endpoint import LabelEndpoint
from recsys.language_models.label_training import LabelExamples, LabelSettings, LabelTrainer, training_path
from recsys.rankers.adapted_model import AdaptedModel, Adapts
from recsys.rankers.base import Charged, Diagnosable, Fittable, OwnItems, Ranker, SharedItems, Tunable, UserSide
from recsys.rankers.biases import mean_spearman
from recsys.rankers.list_prompts import ListTokens
from recsys.rankers.local_scores import LocalScores, yes_no
from recsys.rankers.prompt_examples import list_examples, listed, pair_examples
from recsys.rankers.prompt_training import PromptTraining, RetrievedTargets, retrieved_targets, without_targets
from recsys.rankers.prompts import Prompt, PromptTokens, drawn_examples, newest, turned
from recsys.rankers.reranking import FLOOR, best_unseen, in_retrievers_order, made_retriever
from recsys.rankers.text_prompts import ServerScores, TextPrompts
from recsys.schema import ConfigError, ModelContext, TrainInteractions, UserBatch
from recsys.support.number_checks import check_whole

SCORES = LIKELIHOOD, YES_NO, LETTERS = "likelihood", "yes_no", "letters"
PAIRS_AT_ONCE = 50_000  # pairs of users and items whose tokens are in memory


class PromptRanker(Ranker, Fittable, Diagnosable, Charged, Tunable):
    """score(u, i) = ℓ(i | newest items of u) − ℓ(i | no items), where ℓ is a language model's score.

    ℓ is the mean log-probability of the tokens of i's text as the next line of the history, or the log-odds of the
    answer "yes" to a question. The second term, the score of an item's text without a history, is optional.
    Language models that rank without training: Hou et al., "Large Language Models are Zero-Shot
    Rankers for Recommender Systems", ECIR 2024; the correction is the domain-conditional mutual information of Holtzman
    et al., "Surface Form Competition", EMNLP 2021.

    With score=letters, ℓ is the log-probability of a candidate's letter after a prompt that lists all candidates, each
    with a letter: Yue et al., "LlamaRec: Two-Stage Recommendation using Large Language Models for Ranking", 2023. The
    order of the list is a fixed random one of all items, so that it does not depend on the retriever.

    Nothing is trained, unless `train_with` sets a mode of fine-tuning. Then the model learns to predict label tokens:
    yes and no, as in Bao et al., "TALLRec", RecSys 2023, or the letters. See `retrieved_targets` for the examples.

    With a retriever, the language model ranks the `top_n` best unseen items of each user, and all others rank below in
    the retriever's order, as all items do for a user without history. Without one it scores all candidates.

    Args:
        context: Sizes of the data, and the items' texts.
        language_model: Weights on this machine or, for letters and yes_no, a server; opened by `fit` or a first score.
        prompt: How users and items become text.
        retriever: Makes a ranker that is fitted without gradients and reads no vectors; None to score all candidates.
        top_n: Number of candidates of each user; ignored without a retriever.
        score: "likelihood", "yes_no" or "letters".
        calibrate: Whether the score without history is subtracted; ignored for letters and if ℓ is trained.
        n_diagnostic_users: Number of test users that biases are measured on.
        training: How ℓ is trained.

    Raises:
        ConfigError: If a value is unknown or impossible.
    """

    reads_history = True
    examples: Tensor

    def __init__(
        self,
        context: ModelContext,
        language_model: CausalLM | LabelEndpoint,
        prompt: Prompt,
        retriever: Callable[[ModelContext], Ranker] | None = None,
        top_n: int = 20,
        score: str = LIKELIHOOD,
        calibrate: bool = True,
        n_diagnostic_users: int = 50,
        training: PromptTraining | None = None,
    ) -> None:
        super().__init__()
        if score not in SCORES:
            raise ConfigError(f"ranker.score is {score!r}; expected {' or '.join(SCORES)}.")
        check_whole("ranker.top_n", top_n, 2)
        if score == LETTERS and (retriever is None or top_n > len(ascii_uppercase)):
            raise ConfigError(
                f"ranker.score={LETTERS} needs a retriever and ranker.top_n of at most {len(ascii_uppercase)}: each "
                f"candidate has a letter. Use ranker.score={YES_NO} for more."
            )
        check_whole("ranker.n_diagnostic_users", n_diagnostic_users, 0)
        if score == LIKELIHOOD and not isinstance(language_model, CausalLM):
            raise ConfigError(
                f"ranker.score={LIKELIHOOD} needs weights on this machine: a server gives {LETTERS} and {YES_NO} only."
            )
        language_model.check()
        self.n_items, self.counts, self.texts = context.n_items, context.item_counts, context.texts
        self.language_model, self.prompt = language_model, prompt
        self.context, self.make_retriever = context, retriever
        self.retriever = None if retriever is None else made_retriever(retriever, context)
        self.top_n, self.asks, self.lists = top_n, score == YES_NO, score == LETTERS
        self.calibrate = calibrate and not self.lists
        self.reads_user = self.retriever is not None and self.retriever.reads_user
        self.n_diagnostic_users, self.training_settings = n_diagnostic_users, training or PromptTraining()
        self.adapted: AdaptedModel | None = None
        self.training_report: dict[str, Any] = {}
        self.list_order = torch.randperm(self.n_items, generator=torch.Generator().manual_seed(0))
        self.register_buffer("examples", torch.full((prompt.n_examples, prompt.n_history + 1), -1))
        self.without_history = torch.full((self.n_items,), torch.nan)

    def fit(self, train: TrainInteractions) -> None:
        if isinstance(self.retriever, Fittable):
            self.retriever.fit(train)
        if self.prompt.n_examples:
            shown = train if self.adapted is None else without_targets(train, self.training_settings.target_share)
            self.examples.copy_(drawn_examples(shown, *self.examples.shape))
        self.without_history.fill_(torch.nan)
        if self.adapted is not None:
            self.adapted.reset(train.seed)
        self.scores_of  # noqa: B018 (opens the language model now, so that its time is that of the fit)
        if self.adapted is not None:
            self._learn(train, self.adapted)

    def train_with(self, method: Adapts) -> None:
        if not isinstance(self.language_model, CausalLM):
            raise ConfigError("finetune needs weights on this machine, and ranker.language_model is a server.")
        if self.language_model.bits is not None:
            raise ConfigError("finetune trains weights in float32: set ranker.language_model.bits=null.")
        if not self.asks and not self.lists:
            raise ConfigError(f"finetune trains on label tokens: use ranker.score={LETTERS} or {YES_NO}.")
        if self.make_retriever is None:
            raise ConfigError("finetune needs ranker.retriever, which finds the candidates of the training examples.")
        self.adapted, self.calibrate = AdaptedModel(self.language_model, method), False

    def n_tuned_weights(self) -> int:
        return 0 if self.adapted is None else sum(tensor.numel() for tensor in self.adapted.state_dict().values())

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        if self.retriever is None:
            return self._scores_of_all(users.batch, items.idx)
        return self._reranked(users).gather(1, items.idx)

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        if self.retriever is None:
            return self._scores_of_all(users.batch, items.idx.expand(len(users.batch.idx), -1))
        return self._reranked(users).index_select(1, items.idx)

    def measure(self, users: UserSide, candidates: Tensor | None) -> dict[str, Any]:
        if self.retriever is not None:  # of impressions, too, the language model ranks only these
            items, mask = self._candidates(users)
        elif candidates is None:
            return {}  # ranks of all pairs of a whole catalogue would not fit in memory
        else:
            items, mask = candidates.clamp(min=0), candidates >= 0
        batch = users.batch
        orders = batch, turned(batch, self.prompt.n_history)
        scores, reversed_scores = (self._scores(each, items, mask) for each in orders)
        known = {
            "train_popularity": self.counts[items].double(),
            "scores_with_the_history_reversed": reversed_scores,
        }
        if not self.lists or isinstance(self.language_model, CausalLM):  # a server charges for these further requests
            known["likelihood_without_history"] = self._of_items(items, mask)
        if self.lists:
            known["position_in_the_list"] = self.list_order[items].double()
            known["scores_with_the_list_reversed"] = self._of_lists(batch, items, mask, -self.list_order[items])
        measured = {name: mean_spearman(scores, values, mask) for name, values in known.items()}
        return {
            "language_model": self.language_model.identity(),
            "n_users": int((mask.sum(dim=1) > 0).sum()),
            "candidates_mean": float(mask.sum(dim=1).double().mean()),
            "rank_correlation": measured,
            **({"training": self.training_report} if self.training_report else {}),
        }

    def spent(self) -> dict[str, Any]:
        return self.language_model.spent() if isinstance(self.language_model, LabelEndpoint) else {}

    def charge(self, earlier: dict[str, Any]) -> None:
        if isinstance(self.language_model, LabelEndpoint):
            self.language_model.charge(earlier)

    @cached_property
    def tokens(self) -> PromptTokens:
        """The items as tokens; opens the language model.

        Raises:
            ConfigError: If the items have no texts, or prompts may be longer than the model's context.
        """
        assert self.texts is not None, "the context of a run has them"
        (self.adapted or self._local).open(self.texts.cache_dir)
        return PromptTokens(self.prompt, self.texts, self._local, self.asks)

    @cached_property
    def list_tokens(self) -> ListTokens:
        """Lists of candidates as tokens; opens the language model."""
        self.tokens  # noqa: B018
        assert self.texts is not None, "the context of a run has them"
        return ListTokens(self.prompt, self.texts, self._local)

    @cached_property
    def scores_of(self) -> LocalScores | ServerScores:
        """Scores candidates; opens the language model."""
        if not isinstance(self.language_model, LabelEndpoint):
            return LocalScores(self._local, self.tokens, lambda: self.list_tokens, self.asks)
        assert self.texts is not None, "the context of a run has them"
        self.language_model.open(self.texts.cache_dir)
        return ServerScores(TextPrompts(self.prompt, self.texts), self.language_model)

    @property
    def _local(self) -> CausalLM:
        assert isinstance(self.language_model, CausalLM), "it is not at a server"
        return self.language_model

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
        if self.lists:
            return self._of_lists(users, items, mask, self.list_order[items])
        at_once = max(1, PAIRS_AT_ONCE // max(1, items.shape[1]))
        parts = zip(users.split(at_once), items.split(at_once), mask.split(at_once), strict=True)
        scores = torch.cat([self._with_history(*part) for part in parts])
        return scores - self._of_items(items, mask) if self.calibrate else scores

    def _of_lists(self, users: UserBatch, items: Tensor, mask: Tensor, keys: Tensor) -> Tensor:
        """Log-probabilities (B, N) of the letters of items (B, N), which are listed by increasing keys (B, N)."""
        (rows,) = mask.any(dim=1).nonzero(as_tuple=True)
        order = listed(keys, mask)
        history = newest(users, self.prompt.n_history)[rows]
        shown = mask.gather(1, order)[rows]
        found = self.scores_of.of_lists(history.cpu(), items.gather(1, order)[rows].cpu(), shown.cpu())
        scores = torch.zeros(items.shape, device=items.device)
        scores[rows] = scores[rows].scatter(1, order[rows], found.to(items.device))
        return scores.masked_fill(~mask, 0.0)

    def _with_history(self, users: UserBatch, items: Tensor, mask: Tensor) -> Tensor:
        owners, _ = mask.nonzero(as_tuple=True)
        history = newest(users, self.prompt.n_history)
        scores = torch.zeros(items.shape, device=items.device)
        return scores.masked_scatter(mask, self._continued(history, owners, items[mask]).to(items.device))

    def _of_items(self, items: Tensor, mask: Tensor) -> Tensor:
        """Scores (B, N) of items (B, N) with an empty history where `mask`, and 0 elsewhere; once for each item."""
        wanted = items[mask].unique().cpu()
        missing = wanted[self.without_history[wanted].isnan()]
        if len(missing):
            empty = torch.full((1, self.prompt.n_history), -1)
            self.without_history[missing] = self._continued(empty, torch.zeros_like(missing), missing)
        return self.without_history.to(items.device)[items].masked_fill(~mask, 0.0)

    def _continued(self, history: Tensor, owners: Tensor, items: Tensor) -> Tensor:
        if not len(items):
            return torch.empty(0)
        return self.scores_of.of_pairs(history.cpu(), self.examples.cpu(), owners.cpu(), items.cpu())

    def _learn(self, train: TrainInteractions, adapted: AdaptedModel) -> None:
        assert self.make_retriever is not None
        assert self.texts is not None
        settings = self.training_settings
        used, held = retrieved_targets(train, self.context, self.make_retriever, settings, self.top_n)
        validation, seed = self._label_examples(held, self.list_order[held.items]), train.seed

        def examples(epoch: int) -> LabelExamples:
            random = torch.Generator().manual_seed(seed * 1009 + epoch)
            return self._label_examples(used, torch.rand(used.items.shape, generator=random))

        first = examples(0)
        labels = self.list_tokens.labels if self.lists else torch.tensor(yes_no(self._local))
        how = LabelSettings(settings.max_epochs, settings.patience, settings.batch_tokens, seed)
        identity = [self.language_model.identity(), type(adapted.method).__name__, vars(adapted.method), vars(how)]
        path = training_path(self.texts.cache_dir, identity, [first, validation])
        assert adapted.groups is not None, "the model is open"
        report = LabelTrainer(self._local.model, adapted.groups, labels, how, path).fit(examples, validation)
        self.training_report = {"users": len(used), "examples": len(first), "validation_users": len(held), **report}

    def _label_examples(self, found: RetrievedTargets, keys: Tensor) -> LabelExamples:
        n_history = self.prompt.n_history
        if self.lists:
            return list_examples(found, self.list_tokens, n_history, keys)
        n_negatives = self.training_settings.n_negatives
        return pair_examples(found, self.tokens, n_history, self.examples.cpu(), n_negatives, keys)
