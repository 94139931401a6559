"""Pretrain a language model on the item texts or users' histories.

Only the train part is read: masked training for encoder=bert, causal for encoder=gpt2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recsys.commands.next_steps import of_data, print_header, print_next_steps
from recsys.config.compatibility import check_data
from recsys.config.compose import build
from recsys.experiment.inputs import load_split
from recsys.experiment.text_pretraining import TEXTS, train_texts
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole
from recsys.support.screen import Screen

EXAMPLES = (
    "recsys pretrain encoder=gpt2 output=models/gpt2",
    "recsys pretrain encoder=bert texts=both",
)
REPORT_FILE = "pretraining.json"


def run(cfg: DictConfig) -> None:
    """Pretrain on the train part's texts, and print where the model is and how well it predicts held-out texts.

    Raises:
        ConfigError: If the configuration is impossible.
        DataError: If the data is malformed.
    """
    _check(cfg)
    encoder = build("encoder", cfg.encoder)
    split = load_split(cfg)
    texts = train_texts(split, cfg.texts, cfg.items_per_text)
    own = f"encoder={cfg.choices.encoder} on {len(texts):,} texts"
    print_header(Screen(), f"pretraining of {own} of {split.dataset.name}, split {split.name}")
    output = None if cfg.output is None else Path(cfg.output).expanduser()
    folder, report = encoder.pretrain(texts, Path(cfg.paths.cache_dir).expanduser(), output)
    _show(cfg, folder, report)


def _check(cfg: DictConfig) -> None:
    check_data(cfg)
    if "sizes" not in cfg.encoder:  # sizes of a model from scratch
        raise ConfigError(
            f"encoder={cfg.choices.encoder} has no language model that can be pretrained: choose encoder=gpt2 or bert."
        )
    if cfg.texts not in TEXTS:
        raise ConfigError(f"texts is {cfg.texts!r}; expected {', '.join(TEXTS)}.")
    check_whole("items_per_text", cfg.items_per_text, 1)
    if OmegaConf.select(cfg, "output") is not None:
        _check_output(Path(cfg.output).expanduser())


def _check_output(folder: Path) -> None:
    is_ours = (folder / REPORT_FILE).is_file() or (folder.is_dir() and not any(folder.iterdir()))
    if folder.exists() and not is_ours:
        raise ConfigError(
            f"output={folder} exists and has no {REPORT_FILE} of an earlier pretraining: choose another folder."
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
    weights = [f"encoder={cfg.choices.encoder}", f"encoder.weights={folder}"]
    own = of_data(cfg)
    print_next_steps(console, cfg, ["train", *own, *weights], ["train", *own, weights[0]])
