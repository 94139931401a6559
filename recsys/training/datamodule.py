"""The data module: histories, positives and queries of a split, sliced into batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl

from recsys import schema
from recsys.data.queries import Queries, has_impressions, histories, stage_queries, train_examples
from recsys.data.splits.split import Split
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole
from recsys.training.batches import BEFORE, OTHERS, SEQUENCE, EvaluationBatches, TrainBatches, WholeUserBatches
from recsys.training.encoded_user_texts import UserTexts
from recsys.training.sequences import SequenceBatches
from recsys.training.shuffled import ShuffledBatches
from recsys.training.step_batching import watches_steps


class RecommenderDataModule(pl.LightningDataModule):
    """Batches of one split.

    Args:
        split: The parts of the data.
        history_length: Number of newest history items that the model gets, given `max_history`; see `Recommender`.
        seed: The run's seed; the order of training batches depends on it.
        batch_size: Training examples of a step, over all processes together.
        max_history: The newest items of a history that a profile reads.
        train_history: `others` or `before`, see `TrainBatches`; or `sequence`, see `SequenceBatches`.
        max_scores: Maximum number of scores in memory at once in an evaluation; each needs about 12 bytes in all.
        steps_at_once: Training batches of a list, see `ShuffledBatches`; 1 if a callback needs single steps.
        whole_users: Whether the loss is a user-level reconstruction loss instead of a loss on positives.
        mask_share: See `SequenceBatches`.
        texts: Texts about users, for a profile that reads them.

    Raises:
        ConfigError: If a number is not positive, or `train_history` is unknown or does not fit the data.
    """

    def __init__(
        self,
        split: Split,
        history_length: Callable[[int], int],
        seed: int,
        batch_size: int = 2048,
        max_history: int = 50,
        train_history: str = OTHERS,
        max_scores: int = 4_000_000,
        steps_at_once: int = 1,
        whole_users: bool = False,
        mask_share: float | None = None,
        texts: UserTexts | None = None,
    ) -> None:
        super().__init__()
        check_batches(batch_size, max_history, train_history, max_scores)
        self.split, self.seed, self.batch_size = split, seed, batch_size
        self.max_history = history_length(max_history)
        self.train_history, self.max_scores = train_history, max_scores
        self.steps_at_once, self.whole_users, self.mask_share = steps_at_once, whole_users, mask_share
        self.texts = texts
        if train_history == SEQUENCE and has_impressions(split):
            raise ConfigError(
                f"batches.train_history={SEQUENCE} does not fit {split.dataset.name}: each of its impressions has a "
                f"history of its own. Use {OTHERS} or {BEFORE}."
            )

    def train_dataloader(self) -> ShuffledBatches:
        order = (self.seed, self._epoch, *self._share(), self._steps_at_once())
        if self.whole_users:
            return WholeUserBatches(histories(self.split, schema.TRAIN), self.batch_size, *order)
        if self.train_history == SEQUENCE:
            lists = histories(self.split, schema.TRAIN)
            return SequenceBatches(lists, self.batch_size, self.max_history, self.mask_share, *order)
        examples = train_examples(self.split)
        texts = None if self.texts is None else self.texts.train
        return TrainBatches(examples, self.batch_size, self.max_history, self.train_history, texts, *order)

    def val_dataloader(self) -> EvaluationBatches:
        return self._evaluation(schema.VAL)

    def test_dataloader(self) -> EvaluationBatches:
        return self._evaluation(schema.TEST)

    def check_limits(self, limits: Mapping[str, Any], stages: Sequence[str]) -> None:
        """Check that shares of batches leave at least one batch of each stage.

        Args:
            limits: Settings of the Trainer, such as `limit_test_batches`: a number of batches, a share or None.
            stages: The stages that have a limit.

        Raises:
            ConfigError: If a share leaves no batch.
        """
        for stage in stages:
            key = f"limit_{stage}_batches"
            share = limits.get(key)
            if not isinstance(share, float) or not 0 < share < 1:
                continue
            n = len(self.train_dataloader()) if stage == schema.TRAIN else self._n_chunks(stage)
            if 0 < n * share < 1:
                size, word = "batch_size" if stage == schema.TRAIN else "max_scores", "batch" if n == 1 else "batches"
                raise ConfigError(
                    f"trainer.{key} is {share:g}, a share of {n} {word}, which leaves none: use a number, as in "
                    f"trainer.{key}=1, a larger share, or a smaller batches.{size}."
                )

    def _evaluation(self, stage: str) -> EvaluationBatches:
        queries = stage_queries(self.split, stage)
        texts = None if self.texts is None else self.texts.stage(stage)
        return EvaluationBatches(queries, self._chunk_size(queries), self.max_history, *self._share(), texts)

    def _n_chunks(self, stage: str) -> int:
        queries = stage_queries(self.split, stage)
        return -(-len(queries) // self._chunk_size(queries))

    def _chunk_size(self, queries: Queries) -> int:
        """Number of queries whose scores are within `max_scores`."""
        longest = self.split.dataset.n_items
        if has_impressions(self.split) and queries.candidates is not None and len(queries):
            longest = int(queries.candidates.lengths.max())
        return max(1, self.max_scores // max(1, longest))

    def _steps_at_once(self) -> int:
        watched = self.trainer is not None and any(map(watches_steps, self.trainer.callbacks))  # type: ignore[attr-defined]
        return 1 if watched else self.steps_at_once

    def _epoch(self) -> int:
        """The epoch that the order of batches depends on: the first one throughout if the trainer overfits them."""
        if self.trainer is None or self.trainer.overfit_batches:  # type: ignore[attr-defined]
            return 0
        return self.trainer.current_epoch

    def _share(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def check_batches(
    batch_size: int, max_history: int, train_history: str, max_scores: int, examples_per_loop_step: int = 0
) -> None:
    """Check the values of the keys of `batches`.

    Raises:
        ConfigError: If a number is not whole or too small, or `train_history` is unknown.
    """
    for key, value in {"batch_size": batch_size, "max_history": max_history, "max_scores": max_scores}.items():
        check_whole(f"batches.{key}", value, 1)
    check_whole("batches.examples_per_loop_step", examples_per_loop_step, 0)
    if train_history not in (BEFORE, OTHERS, SEQUENCE):
        raise ConfigError(
            f"batches.train_history is {train_history!r}; expected {BEFORE!r}, {OTHERS!r} or {SEQUENCE!r}."
        )
