"""The check of a configuration before any data is read: its model is built for a toy data set."""

from __future__ import annotations

from functools import lru_cache

import torch
from omegaconf import DictConfig, OmegaConf

from recsys import schema
from recsys.config.compose import (
    build,
    complete,
    has_likelihood,
    is_none,
    is_of_whole_users,
    plain,
    trains_language_model,
)
from recsys.config.signatures import check_arguments
from recsys.config.traits import traits_of
from recsys.data.sources.templates import fields
from recsys.data.user_texts import check_prompt
from recsys.encoders.base import Encoder
from recsys.experiment.build import build_module, build_recommender, callback_nodes
from recsys.experiment.built_once import Settings, completed, metric_suite, shared
from recsys.experiment.loggers import check_loggers
from recsys.finetuning.base import FineTuning, TextVectors
from recsys.metrics.context import MetricContext
from recsys.rankers.base import SequenceReader
from recsys.schema import ConfigError, ModelContext
from recsys.training.batches import SEQUENCE
from recsys.training.datamodule import check_batches
from recsys.training.module import Loss
from recsys.training.negatives import KnownPositives
from recsys.training.recommender import Recommender

# Keys that do not affect this check, so that it is done once for all seeds of a configuration.
UNREHEARSED = ("seed", "paths", "tags", "tuning", "overrides", "rerun", "choices")


def rehearse(cfg: DictConfig) -> None:
    """Build the model for a toy data set, so that an impossible value raises an error before any data is read.

    Raises:
        ConfigError: If a value is impossible; the error is that of its component.
    """
    values = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(values, dict)
    _rehearse(Settings(cfg, {key: value for key, value in values.items() if key not in UNREHEARSED}))


@lru_cache(maxsize=32)
def _rehearse(settings: Settings) -> None:
    """The cached check; a configuration that raises an error is checked again."""
    cfg = settings.node
    for group in ("data", "split"):
        shared(group, cfg[group])
    fields(cfg.get("item_text") or "", "item_text")
    check_batches(**cfg.batches)
    counts = torch.tensor([2, 1, 0])
    categories = torch.tensor([[0], [1], [-1]])
    text_dim = 4 if traits_of(cfg.encoder).get("text", True) else 0
    context = ModelContext(cfg.features.dim, torch.tensor([True, True]), counts, True, text_dim, categories, 2)
    if not trains_language_model(cfg):
        _check_layers(build("finetune", cfg.get("finetune")), build("encoder", cfg.encoder))
    recommender = build_recommender(cfg, context, TextVectors(torch.ones(3, text_dim)))
    if recommender.user_prompt is not None:
        check_prompt(recommender.user_prompt)
    _check_sequences(cfg, recommender)
    known = KnownPositives(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0]), 2, 3)
    toy = MetricContext(n_items=3, item_counts=counts, n_train_users=2, warm_items=context.warm_items)
    module = build_module(cfg, recommender, context, lambda: known, toy)
    module.make_sampler(torch.device("cpu"))
    _check_loss(cfg, module.loss)
    _check_monitor(cfg)
    callback_nodes(cfg)
    check_arguments("trainer", plain(cfg.trainer))
    check_arguments("callbacks", plain(cfg.callbacks) if cfg.callbacks else {})
    check_loggers(cfg)
    if module.make_optimizer is not None:
        completed("optimizer", cfg.optimizer, recommender.parameter_groups())


def _check_layers(finetuning: FineTuning | None, encoder: Encoder | None) -> None:
    if finetuning is None or encoder is None or not finetuning.n_layers:
        return
    there = encoder.n_layers()
    if there is not None and finetuning.n_layers > there:
        raise ConfigError(f"finetune.n_layers is {finetuning.n_layers}, but the encoder has {there} layers.")


def _check_loss(cfg: DictConfig, loss: Loss | None) -> None:
    """Compute a loss of toy scores, as a loss is a function that checks its values when it is called."""
    if loss is None:
        return
    scores, mask = torch.zeros(2, 3), torch.ones(2, 1, dtype=torch.bool)
    if is_of_whole_users(cfg.loss):
        complete("loss", loss, scores, mask.long(), mask)
    elif has_likelihood(cfg.loss):
        complete("loss", loss, scores[:, 0])
    else:
        complete("loss", loss, scores[:, 0], scores[:, :1], mask)


def _check_sequences(cfg: DictConfig, recommender: Recommender) -> None:
    if cfg.batches.train_history != SEQUENCE or is_none(cfg.loss) or is_of_whole_users(cfg.loss):
        return
    profile, ranker = recommender.profile, recommender.ranker
    if not (isinstance(ranker, SequenceReader) if profile is None else profile.learns_sequences):
        raise ConfigError(
            f"batches.train_history={SEQUENCE} needs a profile or ranker that predicts each item of a sequence, and "
            f"profile={cfg.choices.profile} and ranker={cfg.choices.ranker} do not: "
            "use profile=transformer profile.count_from=oldest, ligr, hstu, recurrent or bidirectional, or "
            "batches.train_history=before."
        )


def _check_monitor(cfg: DictConfig) -> None:
    measured = [f"{schema.VAL}/{name}" for name in metric_suite(cfg).names(schema.VAL)]
    if cfg.monitor not in measured:
        raise ConfigError(
            f"monitor is {cfg.monitor!r}, but validation computes {', '.join(measured)}. "
            "Choose one of them, or add the metric to metrics.val."
        )
