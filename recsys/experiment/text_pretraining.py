"""The pretrain command: a language model from the train part's texts, as a folder that an encoder reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig, OmegaConf

from recsys.config.compatibility import check_data
from recsys.config.compose import build
from recsys.data.splits.base import Split
from recsys.experiment.inputs import load_split
from recsys.schema import ITEM, USER, ConfigError
from recsys.support.screen import Screen

TEXTS = ("items", "histories", "both")
REPORT_FILE = "pretraining.json"
SEPARATOR = "\n"  # between the items of a history


def pretrain_command(cfg: DictConfig) -> None:
    """Pretrain on the train part's texts, and print where the model is and how well it predicts held-out texts.

    Raises:
        ConfigError: If the configuration is impossible.
        DataError: If the data is malformed.
    """
    _check(cfg)
    encoder = build("encoder", cfg.encoder)
    texts = train_texts(load_split(cfg), cfg.texts, cfg.items_per_text)
    output = None if cfg.output is None else Path(cfg.output).expanduser()
    folder, report = encoder.pretrain(texts, Path(cfg.paths.cache_dir).expanduser(), output)
    _show(cfg, folder, report)


def train_texts(split: Split, kind: str, items_per_text: int) -> list[str]:
    """The texts of the train part: those of its items, the users' histories, or both.

    Args:
        split: Only its train part is read.
        kind: "items", "histories" or "both".
        items_per_text: A history of more items is several texts, the oldest items first.
    """
    items = [text for text, warm in zip(split.dataset.texts, split.warm_items, strict=True) if warm]
    if kind == "items":
        return items
    histories = _histories(split, items_per_text)
    return histories if kind == "histories" else [*items, *histories]


def _histories(split: Split, items_per_text: int) -> list[str]:
    """The train part is ordered by user, then time."""
    texts = pl.Series(split.dataset.texts)
    rows = split.train.select(USER, text=texts.gather(split.train[ITEM]))
    by_user = rows.group_by(USER, maintain_order=True).agg("text")["text"].to_list()
    starts = ((history, start) for history in by_user for start in range(0, len(history), items_per_text))
    return [SEPARATOR.join(history[start : start + items_per_text]) for history, start in starts]


def _check(cfg: DictConfig) -> None:
    check_data(cfg)
    if "sizes" not in cfg.encoder:  # what a model is made of
        raise ConfigError(
            f"encoder={cfg.choices.encoder} has no language model that can be pretrained: choose encoder=gpt2 or bert."
        )
    if cfg.texts not in TEXTS:
        raise ConfigError(f"texts is {cfg.texts!r}; expected {', '.join(TEXTS)}.")
    if not isinstance(cfg.items_per_text, int) or cfg.items_per_text < 1:
        raise ConfigError(f"items_per_text is {cfg.items_per_text!r}; expected a whole number of at least 1.")
    if OmegaConf.select(cfg, "output") is not None:
        _check_output(Path(cfg.output).expanduser())


def _check_output(folder: Path) -> None:
    is_ours = (folder / REPORT_FILE).is_file() or (folder.is_dir() and not any(folder.iterdir()))
    if folder.exists() and not is_ours:
        raise ConfigError(
            f"output={folder} is there and is no earlier pretraining (it has no {REPORT_FILE}): give another folder."
        )


def _show(cfg: DictConfig, folder: Path, report: dict[str, Any]) -> None:
    console = Screen(soft_wrap=True)
    loss = report.get("held_out_perplexity")
    judged = "nothing was held out" if loss is None else f"held-out perplexity {loss:.2f}"
    console.print(
        f"{judged}: {report['n_texts']:,} texts, {report['n_tokens']:,} tokens, {report['n_steps']:,} steps, "
        f"{report['seconds']:.1f} s",
        highlight=False,
    )
    console.print(f"Use it: encoder={cfg.choices.encoder} encoder.weights={folder}", highlight=False)
