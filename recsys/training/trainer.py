"""Helpers around Lightning's Trainer: checkpoints, weights, metrics per user."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import StochasticWeightAveraging
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from recsys import schema
from recsys.data.queries import stage_queries
from recsys.data.splits.split import Split
from recsys.schema import RecsysError
from recsys.tracking.run_folder import CHECKPOINTS
from recsys.training.checkpoints import is_whole, set_aside
from recsys.training.module import RecommenderModule


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that an interrupted fit continues from; None for a new one.

    A damaged checkpoint is renamed, with a warning. If it is the last one, training continues from the best one, which
    is earlier. If it is the best one, training starts again, because the finished fit would need its weights.
    """
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    if not last.exists():
        return None
    if best.exists() and not is_whole(best):
        set_aside(best)
        last.unlink()
        return None
    if is_whole(last):
        return last
    set_aside(last)
    return best if best.exists() else None


def load_best(module: RecommenderModule, trainer: Trainer) -> int:
    """Load the weights of the best validation epoch into the module, if checkpoints were kept.

    The weights of a finished stochastic weight averaging are kept: no checkpoint has them.

    Returns:
        Number of epochs that the weights were trained for.
    """
    if any(_has_averaged(callback, trainer) for callback in trainer.callbacks):  # type: ignore[attr-defined]
        return trainer.fit_loop.epoch_progress.current.completed
    callback = trainer.checkpoint_callback
    path = getattr(callback, "best_model_path", "")
    if not path:
        return trainer.fit_loop.epoch_progress.current.completed
    best = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    return int(best["epoch"]) + 1


def _has_averaged(callback: Callback, trainer: Trainer) -> bool:
    """Whether a callback is stochastic weight averaging that finished; early stopping can end training before."""
    if not isinstance(callback, StochasticWeightAveraging) or callback.n_averaged is None:
        return False
    return trainer.max_epochs == -1 or trainer.current_epoch > callback.swa_end


def weights_of(model: nn.Module) -> bytes:
    """A model's weights as the content of a safetensors file."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()})


def load_weights(model: nn.Module, path: Path) -> None:
    """Read a model's weights back.

    Raises:
        RecsysError: If the file is missing, damaged or that of another model.
    """
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise RecsysError(
            f"the weights {path} are missing or damaged ({reason}): make the run again with rerun=true."
        ) from error


def check_finite(module: RecommenderModule) -> None:
    """Check that training has not diverged.

    Raises:
        RecsysError: If a weight is NaN or infinite.
    """
    for name, parameter in module.recommender.named_parameters():
        if not torch.isfinite(parameter).all():
            raise RecsysError(
                f"training diverged: {name} is not finite after epoch {module.current_epoch}. "
                "Try a smaller learning_rate, or trainer.gradient_clip_val=1."
            )


def per_user(module: RecommenderModule, split: Split) -> pl.DataFrame:
    """The test metrics of each query, with its user's raw id and the numbers of items in its history and positives."""
    values = {name: tensor.numpy() for name, tensor in module.metrics_of(schema.TEST).per_query().items()}
    queries = stage_queries(split, schema.TEST)
    chosen = values.pop("query")
    rows = queries.rows[chosen]
    users = split.dataset.users[schema.USER_ID].gather(queries.users[chosen])
    sizes = {"n_history": queries.history.lengths[rows], "n_positives": queries.positives.lengths[rows]}
    return pl.DataFrame({"query": chosen, "user": users, **sizes, **values})


def finish(trainer: Trainer, folder: Path, summary: Mapping[str, Any]) -> None:
    """Close the loggers and remove the checkpoints of a finished run, whose weights are saved.

    Args:
        trainer: The run's trainer.
        folder: The run's folder.
        summary: Final values for loggers with a summary.
    """
    for logger in trainer.loggers:
        logger.finalize("success")
        if hasattr(logger, "close"):
            logger.close(summary)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
