"""Parts into a whole: a configuration's components, completed with the sizes that only the data knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from recsys import schema
from recsys.config import component, is_none
from recsys.metrics.context import MetricContext
from recsys.schema import ConfigError, ModelContext, RecsysError
from recsys.training.module import RecommenderModule
from recsys.training.negatives import KnownPositives
from recsys.training.recommender import Recommender


def build(group: str, node: DictConfig | None, *args: Any, **extra: Any) -> Any:
    """The component of a config node, called with `args` if its yaml leaves it partial; None for the choice `none`.

    Raises:
        ConfigError: If the component refuses its values; the message names the group.
    """
    if node is None or is_none(node):
        return None
    try:
        made = instantiate(component(node), **extra)
        return made(*args) if args else made
    except InstantiationException as error:
        raise _config_error(group, error.__cause__ or error) from error
    except (TypeError, ValueError) as error:
        raise _config_error(group, error) from error


def _config_error(group: str, cause: BaseException) -> RecsysError:
    return cause if isinstance(cause, RecsysError) else ConfigError(f"{group}: {type(cause).__name__}: {cause}")


def build_recommender(cfg: DictConfig, context: ModelContext, text_vectors: torch.Tensor) -> Recommender:
    """The model for a data set of these sizes, with freshly initialised weights."""
    features_node = None if is_none(cfg.features) else cfg.features.copy()
    if features_node is not None:
        features_node.pop("dim")  # it is the context's
    features = build("features", features_node, context, text_vectors)
    return Recommender(features, build("profile", cfg.profile, context), build("ranker", cfg.ranker, context))


def build_module(
    cfg: DictConfig,
    recommender: Recommender,
    context: ModelContext,
    known: Callable[[], KnownPositives],
    metric_context: MetricContext,
) -> RecommenderModule:
    """The LightningModule around a model."""
    suite = build("metrics", cfg.metrics)
    return RecommenderModule(
        recommender,
        context,
        loss=build("loss", cfg.loss),
        sampler=_sampler(cfg, known),
        optimizer=build("optimizer", cfg.optimizer),
        stage_metrics={stage: suite.build(stage, metric_context) for stage in (schema.VAL, schema.TEST)},
        seed=cfg.seed,
    )


def _sampler(cfg: DictConfig, known: Callable[[], KnownPositives]) -> Callable[[ModelContext], Any] | None:
    if is_none(cfg.negatives):
        return None
    return lambda context: build("negatives", cfg.negatives, context, known())


def rehearse(cfg: DictConfig) -> None:
    """Assemble the model for a toy data set, so that an impossible value is refused before any data is read.

    Raises:
        ConfigError: As the component that refuses says.
    """
    counts = torch.tensor([2, 1, 0])
    context = ModelContext(cfg.features.dim, torch.tensor([True, True]), counts)
    text_dim = 4 if cfg.encoder.get("traits", {}).get("text", True) else 0
    recommender = build_recommender(cfg, context, torch.ones(3, text_dim))
    known = KnownPositives(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0]), 2, 3)
    metric_context = MetricContext(n_items=3, item_counts=counts, n_train_users=2, warm_items=context.warm_items)
    module = build_module(cfg, recommender, context, lambda: known, metric_context)
    module.make_sampler(torch.device("cpu"))
    if module.make_optimizer is not None:
        try:
            module.configure_optimizers()
        except (TypeError, ValueError) as error:
            raise _config_error("optimizer", error) from error
