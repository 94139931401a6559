"""The only LightningModule: it trains, validates and tests any recommender."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from recsys import schema
from recsys.optim.lazy_updates import begin_lazy_updates, end_lazy_updates
from recsys.optim.schedule import warm_up
from recsys.rankers.base import Reconstructing
from recsys.schema import EvaluationBatch, ModelContext, TrainBatch, UserBatch
from recsys.training.losses import SoftLabels
from recsys.training.negatives import Negatives, NegativeSampler
from recsys.training.recommender import Recommender
from recsys.training.seeds import derive_seed, generator
from recsys.training.shape_checks import check_loss
from recsys.training.step_batching import watches_steps
from recsys.training.teacher_lists import TeacherLists

Loss = Callable[..., Tensor]  # see `recsys.training.losses`


class EvaluationMetrics(Protocol):
    """The interface of a stage's metrics (see `recsys.metrics`)."""

    def update(self, scores: Tensor, positives: Tensor, query: Tensor, items: Tensor | None = None) -> None:
        """Add a chunk of queries B with candidates C: scores and positives (B, C), query numbers (B,), items (B, C)."""

    def compute(self) -> dict[str, Any]:
        """Values by name."""

    def per_query(self) -> dict[str, Tensor]:
        """Values of each query by name, and `query` itself."""

    def segments(self) -> dict[str, dict[str, float]]:
        """Values by name, by segment of the positives."""

    def reset(self) -> None:
        """Remove all queries."""


def temperature_of(loss: Loss | None) -> float:
    """The number that a loss divides the scores of positives and negatives by.

    It is the argument `temperature`; 1 for a loss without one, and for one that divides soft labels only.
    """
    parameters = {} if loss is None else inspect.signature(loss).parameters
    parameter = None if "soft" in parameters else parameters.get("temperature")
    return float(parameter.default) if parameter is not None and isinstance(parameter.default, int | float) else 1.0


class RecommenderModule(pl.LightningModule):
    """Minimises a loss on positives and sampled negatives; evaluates by ranking the catalogue or given candidates.

    Args:
        recommender: The model.
        context: Sizes of the data and train counts.
        loss: A function of positive scores (B,), negative scores (B, N) and their mask. Without a sampler, a function
            of users' scores (B, n_items), histories (B, L) and their mask, or of the positives' log probabilities
            (B,). None for a ranker that is not trained.
        sampler: Makes the negative sampler from the context, which is on the device of the training; None for a loss
            without negatives, and for a ranker that is not trained.
        optimizer: Makes the optimizer of the parameters or groups of them; None for a ranker that is not trained.
        stage_metrics: Metrics of each stage, by the stage's name.
        seed: The run's seed.
    """

    # A training step takes a list of batches. Lightning's automatic optimization needs lists of one; for longer ones
    # `automatic_optimization` is False, and the module takes the steps itself.

    def __init__(
        self,
        recommender: Recommender,
        context: ModelContext,
        loss: Loss | None,
        sampler: Callable[[ModelContext], NegativeSampler] | None,
        optimizer: Callable[[Any], Optimizer] | None,
        stage_metrics: dict[str, nn.Module],
        seed: int,
    ) -> None:
        super().__init__()
        self.recommender = recommender
        self.context = context
        self.loss = loss
        self.temperature = temperature_of(loss)
        self.new_sampler = sampler
        self.sampler: NegativeSampler | None = None
        self.teacher: TeacherLists | None = None  # of a loss with soft labels, for the training
        self.scores_users_once = False  # whether all positives of a user in a batch share one row of scores
        self.make_optimizer = optimizer
        self.stage_metrics = nn.ModuleDict(stage_metrics)
        self.seed = seed
        self.item_vectors = torch.empty(0)

    def setup(self, stage: str) -> None:
        if stage == TrainerFn.FITTING:
            callbacks = self.trainer.callbacks  # type: ignore[attr-defined]  # Lightning's own ones included
            self.automatic_optimization |= any(map(watches_steps, callbacks))

    def configure_optimizers(self) -> Any:
        assert self.make_optimizer is not None
        optimizer = self.make_optimizer(self.recommender.parameter_groups())
        schedule = warm_up(optimizer)
        return optimizer if schedule is None else ([optimizer], [{"scheduler": schedule, "interval": "step"}])

    def make_sampler(self, device: torch.device) -> None:
        """Build the negative sampler with its tables on `device`."""
        self.sampler = self.new_sampler(self.context.to(device)) if self.new_sampler else None
        self.scores_users_once = (
            self.sampler is not None
            and self.sampler.columns is not None
            and self.loss is not None
            and not self.recommender.reads_history
            and self.recommender.user_prompt is None
            and "rows" in inspect.signature(self.loss).parameters
        )

    def on_fit_start(self) -> None:
        self.make_sampler(self.device)
        self.teacher = None if self.teacher is None else self.teacher.to(self.device)

    def on_train_epoch_start(self) -> None:
        # All of an epoch's randomness depends on the seed and the epoch only, so that a resumed run repeats it.
        torch.manual_seed(derive_seed(self.seed, "dropout", self.current_epoch, self.global_rank))
        self.generator = generator(self.device, self.seed, "negatives", self.current_epoch, self.global_rank)
        self.losses: list[Tensor] = []  # of the epoch's steps
        if not self.automatic_optimization:  # then only the module's own steps read weights during an epoch
            begin_lazy_updates(self.optimizers(use_pl_optimizer=False), self.recommender)

    def training_step(self, batches: list[TrainBatch], batch_idx: int) -> Tensor | None:
        if self.scores_users_once:
            batches = [batch.by_user() for batch in batches]
        drawn = self.sampler.draw_all(batches, self.generator) if self.sampler else [None] * len(batches)
        if self.automatic_optimization:
            return self._batch_loss(batches[0], drawn[0])
        optimizer, parameters = self.optimizers(), list(self.recommender.parameters())
        schedule = self.lr_schedulers()
        assert isinstance(optimizer, LightningOptimizer)
        for batch, negatives in zip(batches, drawn, strict=True):
            self._batch_loss(batch, negatives).backward()  # no manual_backward: see `steps_at_once`
            optimizer.step()
            if isinstance(schedule, LambdaLR):
                schedule.step()
            for parameter in parameters:
                parameter.grad = None
        if self.trainer.is_last_batch:
            end_lazy_updates(optimizer.optimizer)
        return None

    @property
    def mean_loss(self) -> Tensor:
        """The mean training loss of the epoch's steps so far; 0 before the first."""
        return torch.stack(self.losses).mean() if self.losses else torch.zeros((), device=self.device)

    def on_train_epoch_end(self) -> None:
        self.log(schema.LOSS, self.mean_loss, sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        self.item_vectors = self.recommender.item_vectors(self.context.n_items)

    def validation_step(self, batch: EvaluationBatch, batch_idx: int) -> None:
        self._rank(batch, schema.VAL)

    def on_validation_epoch_end(self) -> None:
        self._finish(schema.VAL)

    def on_test_epoch_start(self) -> None:
        self.on_validation_epoch_start()

    def test_step(self, batch: EvaluationBatch, batch_idx: int) -> None:
        self._rank(batch, schema.TEST)

    def on_test_epoch_end(self) -> None:
        self._finish(schema.TEST)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return [each.to(device) for each in batch] if isinstance(batch, list) else batch.to(device)

    def scores(self, batch: EvaluationBatch) -> Tensor:
        """Scores (B, columns) of the queries' candidates; −∞ for known items and for padding."""
        if batch.candidates is None:
            scores = self.recommender.score_catalogue(batch.users, self.item_vectors).float()
            # An expanded row is the ranker's own tensor; that of a single query cannot be recognised by its stride.
            is_shared = scores.stride(0) == 0 or len(scores) == 1
            scores = scores.clone() if scores.requires_grad or is_shared else scores
            scores[batch.seen[0], batch.seen[1]] = -torch.inf
            return scores
        items = batch.candidates.clamp(min=0)
        scores = self.recommender.score_candidates(batch.users, items, self.item_vectors).float()
        return scores.masked_fill(batch.candidates < 0, -torch.inf)

    def _rank(self, batch: EvaluationBatch, stage: str) -> None:
        scores = self.scores(batch)
        positives = torch.zeros_like(scores, dtype=torch.bool)
        positives[batch.positives[0], batch.positives[1]] = True
        self.metrics_of(stage).update(scores, positives, batch.query, batch.candidates)

    def _finish(self, stage: str) -> None:
        values = self.metrics_of(stage).compute()
        self.log_dict({f"{stage}/{name}": value for name, value in values.items()}, prog_bar=stage == schema.VAL)
        if stage == schema.VAL:
            self.metrics_of(stage).reset()

    def metrics_of(self, stage: str) -> EvaluationMetrics:
        """The metrics of a stage."""
        return self.stage_metrics[stage]  # type: ignore[return-value]  # nn.ModuleDict forgets the type

    def _batch_loss(self, batch: TrainBatch, drawn: Negatives | None) -> Tensor:
        if drawn is not None:
            loss = self._loss_of_positives(batch, drawn)
        else:
            loss = self._likelihood(batch) if len(batch.positives) else self._loss_of_users(batch.users)
        check_loss(self.loss, loss)
        loss = loss if batch.weight == 1 else loss * batch.weight
        self.losses.append(loss.detach())
        return loss

    def _loss_of_users(self, users: UserBatch) -> Tensor:
        assert self.loss is not None
        ranker = self.recommender.ranker
        assert isinstance(ranker, Reconstructing), "a user-level reconstruction loss needs such a ranker"
        scores, penalty = ranker.reconstruct(users)
        return self.loss(scores, users.history, users.history_mask) + penalty

    def _likelihood(self, batch: TrainBatch) -> Tensor:
        """A loss of the positives alone."""
        assert self.loss is not None
        scores, _ = self.recommender.score(batch.users, batch.positives.unsqueeze(1))
        return self.loss(scores.squeeze(1))

    def _loss_of_positives(self, batch: TrainBatch, drawn: Negatives) -> Tensor:
        assert self.sampler is not None
        assert self.loss is not None
        negatives = self.sampler.choose(batch.users, drawn, self._score_without_gradient)
        if batch.rows is not None:
            return self._loss_of_distinct_users(batch, batch.rows, negatives)
        if self.teacher is None:
            positive, negative, _ = self._training_scores(batch, negatives, batch.positives.unsqueeze(1))
            return self.loss(positive, negative, negatives.mask)
        items, scores, mask = self.teacher.of(batch.users)
        own = torch.cat([batch.positives.unsqueeze(1), items], dim=1)
        positive, negative, student = self._training_scores(batch, negatives, own)
        return self.loss(positive, negative, negatives.mask, SoftLabels(student, scores, mask))

    def _loss_of_distinct_users(self, batch: TrainBatch, rows: Tensor, negatives: Negatives) -> Tensor:
        """The loss if a user's positives share one row of scores (U, N), which includes the positives' own scores."""
        assert self.sampler is not None
        assert self.sampler.columns is not None
        assert self.loss is not None
        nothing = batch.positives.new_empty(len(batch.users.idx), 0)
        _, scores = self.recommender.score(batch.users, nothing, negatives.items)
        columns = self.sampler.columns.index_select(0, batch.positives)
        return self.loss(scores[rows, columns], scores, negatives.mask, rows)

    def _training_scores(self, batch: TrainBatch, negatives: Negatives, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of the positives (B,), the negatives (B, N), and the K further items of `own` (B, 1 + K)."""
        if negatives.items.dim() == 1:
            scores, negative = self.recommender.score(batch.users, own, negatives.items)
        else:
            together, _ = self.recommender.score(batch.users, torch.cat([own, negatives.items], dim=1))
            scores, negative = together.split([own.shape[1], negatives.items.shape[1]], dim=1)
        positive, further = scores[:, 0], scores[:, 1:]
        if negatives.log_q is not None and negatives.positive_log_q is not None:
            scale = self.temperature  # the loss divides by it, which must not change the correction
            positive = positive - scale * negatives.positive_log_q
            negative = negative - scale * negatives.log_q
        return positive, negative, further

    @torch.no_grad()
    def _score_without_gradient(self, users: UserBatch, items: Tensor) -> Tensor:
        return self.recommender.score(users, items)[0]
