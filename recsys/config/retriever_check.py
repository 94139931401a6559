"""The check of a ranker's retriever, which gives the candidates that a language model ranks."""

from __future__ import annotations

from omegaconf import DictConfig

from recsys.config.compose import is_outside
from recsys.config.traits import traits_of
from recsys.schema import ConfigError


def check_retriever(cfg: DictConfig, has_text: bool) -> None:
    """Raise an error for a retriever that the ranker cannot use; passes if the ranker has no key `retriever`.

    Lists of another program are no retriever. They are for one stage and seed, and their file is not in the run's
    identity.

    Args:
        cfg: The configuration of a run.
        has_text: Whether its encoder makes vectors.

    Raises:
        ConfigError: If the retriever is trained, too slow or from another program, or would ignore the encoder.
    """
    if "retriever" not in cfg.ranker:
        return
    retriever = cfg.ranker.retriever
    name = None if retriever is None else str(retriever.get("_target_")).rpartition(".")[2]
    traits = traits_of(retriever)
    why = "" if retriever is None else _why_unfit(retriever)
    if why:
        raise ConfigError(
            f"ranker.retriever is {name}, which is {why}: choose one that is fitted without gradients, as in "
            "ranker@ranker.retriever=itemknn (or popularity, ease, userknn, …)."
        )
    if has_text and not traits.get("reads_text", False):
        raise ConfigError(
            f"ranker.retriever={name} ignores encoder={cfg.choices.encoder}, and the language model needs no encoder: "
            "omit encoder, or choose a retriever that reads text: ranker@ranker.retriever=itemknn."
        )


def _why_unfit(retriever: DictConfig) -> str:
    """The reason for which a ranker cannot be a retriever; empty if it can."""
    if traits_of(retriever).get("trained", True):
        return "trained by gradient descent"
    if is_outside(retriever):
        return "made of another program's lists of one stage"
    return "too slow for a whole catalogue" if "language_model" in retriever else ""
