"""Builds the model, module, data module and trainer of a configuration for a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from recsys import schema
from recsys.config.compose import build, is_none, is_of_whole_users, is_outside, plain, trains_language_model
from recsys.config.trainer_checks import monitors_validation
from recsys.config.traits import traits_of
from recsys.data.categories import category_table
from recsys.data.queries import has_impressions
from recsys.experiment.built_once import completed, metric_suite, shared
from recsys.experiment.inputs import cache_dir, fitted_encoder, text_rows, user_texts
from recsys.experiment.loggers import build_loggers
from recsys.finetuning.base import EncodedItems, FineTuning, TextVectors
from recsys.metrics.context import MetricContext
from recsys.rankers.base import Diagnosable, Fittable, Tunable, UserSide
from recsys.schema import ConfigError, ItemTexts, ModelContext, RawIds, TrainInteractions
from recsys.support.whole_files import RUNS, write_atomically
from recsys.training.callbacks import with_mode
from recsys.training.checkpoints import AtomicCheckpointIO
from recsys.training.datamodule import RecommenderDataModule
from recsys.training.module import Loss, RecommenderModule
from recsys.training.negatives import KnownPositives
from recsys.training.recommender import Recommender
from recsys.training.step_batching import steps_at_once
from recsys.training.teacher_lists import OF_TEACHER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recsys.data.splits.split import Split


def build_recommender(cfg: DictConfig, context: ModelContext, text: TextVectors) -> Recommender:
    """The model for a data set of these sizes, with freshly initialised weights."""
    features = completed("features", cfg.features, context, text, drop=("dim",))  # the width is the context's
    profile = completed("profile", cfg.profile, context)
    of_ranker = (text,) if traits_of(cfg.ranker).get("text_vectors", False) else ()
    ranker = completed("ranker", cfg.ranker, context, *of_ranker)
    if trains_language_model(cfg) and isinstance(ranker, Tunable):
        ranker.train_with(build("finetune", cfg.finetune))
    return Recommender(features, profile, ranker)


def build_module(
    cfg: DictConfig,
    recommender: Recommender,
    context: ModelContext,
    known: Callable[[], KnownPositives],
    metrics_of: MetricContext,
) -> RecommenderModule:
    """The LightningModule around a model."""
    suite = metric_suite(cfg)
    module = RecommenderModule(
        recommender,
        context,
        loss=_loss(cfg, context),
        sampler=_sampler(cfg, known),
        optimizer=shared("optimizer", cfg.optimizer),
        stage_metrics={stage: suite.build(stage, metrics_of) for stage in (schema.VAL, schema.TEST)},
        seed=cfg.seed,
    )
    module.automatic_optimization = _steps_at_once(cfg) == 1
    return module


def _loss(cfg: DictConfig, context: ModelContext) -> Loss | None:
    if not traits_of(cfg.loss).get("n_items", False):
        drop = OF_TEACHER if traits_of(cfg.loss).get("teacher", False) else ()
        loss: Loss | None = shared("loss", cfg.loss, drop)
        return loss
    n_items = int(context.warm_items.sum())  # that negatives are drawn from
    with_size: Loss = build("loss", cfg.loss, n_items=n_items)
    return with_size


def _steps_at_once(cfg: DictConfig) -> int:
    return steps_at_once(plain(cfg.trainer), cfg.batches.batch_size, cfg.batches.examples_per_loop_step)


def _sampler(cfg: DictConfig, known: Callable[[], KnownPositives]) -> Callable[[ModelContext], Any] | None:
    if is_none(cfg.negatives):
        return None
    return lambda context: completed("negatives", cfg.negatives, context, known())


def assemble(cfg: DictConfig, split: Split, text_vectors: NDArray[np.float32]) -> RecommenderModule:
    """The LightningModule for a split."""
    _check_candidates(cfg, split)
    context = model_context(cfg, split, text_vectors.shape[1])
    vectors, encoder = torch.from_numpy(text_vectors), partial(fitted_encoder, cfg, split)
    items = EncodedItems(vectors, context.warm_items, context.trains_on_cold, split.dataset.texts, encoder)
    finetuning = None if trains_language_model(cfg) else build("finetune", cfg.get("finetune"))
    recommender = build_recommender(cfg, context, _text(finetuning, items))
    return build_module(cfg, recommender, context, lambda: known_positives(split), metric_context(split))


def _text(finetuning: FineTuning | None, items: EncodedItems) -> TextVectors:
    if finetuning is None:
        return TextVectors(items.vectors)
    # The random state is restored afterwards, so that all other weights are initialised as with frozen vectors.
    with torch.random.fork_rng():
        return finetuning.text_vectors(items)


def model_context(cfg: DictConfig, split: Split, text_dim: int) -> ModelContext:
    """Sizes of the data and train counts."""
    warm_users, item_counts = torch.from_numpy(split.warm_users), torch.from_numpy(split.item_counts)
    data, (categories, n_categories) = split.dataset, category_table(split)
    return ModelContext(
        cfg.features.dim,
        warm_users,
        item_counts,
        trains_on_cold=has_impressions(split),
        text_dim=text_dim,
        categories=torch.from_numpy(categories),
        n_categories=n_categories,
        texts=ItemTexts(lambda: data.titles, lambda: data.texts, cache_dir(cfg)),
        ids=RawIds(lambda: data.users[schema.USER_ID], lambda: data.items[schema.ITEM_ID]),
    )


def known_positives(split: Split) -> KnownPositives:
    """The train positives."""
    users, items = (torch.from_numpy(split.train[column].to_numpy().copy()) for column in (schema.USER, schema.ITEM))
    return KnownPositives(users, items, split.dataset.n_users, split.dataset.n_items)


def fit_ranker(module: RecommenderModule, split: Split, text_vectors: NDArray[np.float32], seed: int) -> None:
    """Fit the part of the ranker that is fitted without gradients, on the train part only."""
    ranker = module.recommender.ranker
    if not isinstance(ranker, Fittable):
        return
    users, items = (split.train[column].to_numpy().astype("int64") for column in (schema.USER, schema.ITEM))
    times = split.train[schema.TIMESTAMP].to_numpy() if split.dataset.has_timestamps else None
    sizes = split.dataset.n_users, split.dataset.n_items
    ranker.fit(TrainInteractions(users, items, times, *sizes, text_vectors, seed))


def measure_ranker(ranker: Diagnosable, datamodule: RecommenderDataModule) -> dict[str, Any]:
    """The biases that a ranker measures on the first test users, by name."""
    batch = next(iter(datamodule.test_dataloader()), None)
    if batch is None:
        return {}
    users = batch.users.split(ranker.n_diagnostic_users)[0]
    candidates = None if batch.candidates is None else batch.candidates[: ranker.n_diagnostic_users]
    with torch.inference_mode():
        return ranker.measure(UserSide(users, torch.empty(len(users.idx), 0)), candidates)


def metric_context(split: Split) -> MetricContext:
    """The data that metrics use; it is the same for all values of `train_share` and `train_per_user`."""
    whole = split.whole
    counts = torch.from_numpy(whole.item_counts)
    return MetricContext(
        n_items=whole.dataset.n_items,
        item_counts=counts,
        n_train_users=int(whole.warm_users.sum()),
        warm_items=counts > 0,
        item_text_vectors=text_rows(split),
    )


def build_datamodule(cfg: DictConfig, split: Split, recommender: Recommender) -> RecommenderDataModule:
    """The data module for a split."""
    batches = {key: value for key, value in cfg.batches.items() if key != "examples_per_loop_step"}
    batches |= {"steps_at_once": _steps_at_once(cfg), "whole_users": is_of_whole_users(cfg.loss)}
    batches["mask_share"] = getattr(recommender.profile, "mask_share", None)
    batches["texts"] = user_texts(cfg, split, recommender.user_prompt)
    return RecommenderDataModule(split, recommender.history_length, cfg.seed, **batches)


def build_trainer(cfg: DictConfig, further: Sequence[pl.Callback] = ()) -> pl.Trainer:
    """Lightning's Trainer, with the callbacks and loggers of the configuration, and `further` callbacks."""
    callbacks = [build(key, node) for key, node in callback_nodes(cfg).items()]
    loggers = build_loggers(cfg)
    for logger in loggers:
        if hasattr(logger, "declare"):
            logger.declare(_validation_directions(cfg))
    parts: dict[str, Any] = {"callbacks": [*callbacks, *further], "logger": loggers or False}
    parts["plugins"] = [AtomicCheckpointIO(partial(write_atomically, key=RUNS))]
    return build("trainer", cfg.trainer, enable_checkpointing=bool(callbacks), **parts)


def callback_nodes(cfg: DictConfig) -> dict[str, DictConfig]:
    """The configuration's callbacks by key, each with the mode of the metric that it monitors."""
    if is_none(cfg.loss):  # without epochs there is no early stopping and no best checkpoint
        return {}
    directions = metric_suite(cfg).directions()
    nodes = {f"callbacks.{name}": plain(node) for name, node in (cfg.callbacks or {}).items() if node}
    for key, node in nodes.items():
        if node.get("_target_") is None:
            raise ConfigError(f"{key} has no _target_; expected a callback with its _target_, or null.")
    return {key: OmegaConf.create(with_mode(key, node, directions)) for key, node in nodes.items()}


def _validation_directions(cfg: DictConfig) -> dict[str, bool]:
    """Whether higher is better, by the full name of each metric of validation."""
    suite = metric_suite(cfg)
    directions = suite.directions()
    return {f"{schema.VAL}/{name}": directions[name] for name in suite.names(schema.VAL)}


def build_evaluator(cfg: DictConfig) -> pl.Trainer:
    """A Trainer that only evaluates: it writes nothing."""
    silent: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return build("trainer", cfg.trainer, callbacks=[], **silent)


def set_threads(n: int | None) -> None:
    """Use `n` CPU threads; None leaves torch's choice."""
    if n is not None:
        torch.set_num_threads(n)


def _check_candidates(cfg: DictConfig, split: Split) -> None:
    if has_impressions(split) and is_outside(cfg.ranker):
        raise ConfigError(
            f"data={cfg.choices.data} ranks the items of each impression, and ranker={cfg.choices.ranker} has one list "
            "for each user: use data without impressions."
        )
    if has_impressions(split) and cfg.ranker.get("retriever") is not None:
        raise ConfigError(
            f"data={cfg.choices.data} lists the candidates of each query, and ranker.retriever would choose others: "
            "set ranker.retriever=null."
        )


def check_validation(cfg: DictConfig, split: Split) -> None:
    """Check that callbacks monitor validation metrics only if the split has validation interactions.

    Raises:
        ConfigError: If a callback monitors a metric, and the split has no validation interactions.
    """
    if split.validation.is_empty() and monitors_validation(cfg):
        raise ConfigError(
            f"split={split.name} leaves no validation interactions, which callbacks={cfg.choices.callbacks} monitors: "
            "set split.validation_share, or use callbacks=none to test the last epoch."
        )
