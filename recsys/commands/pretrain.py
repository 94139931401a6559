"""Pretrain a language model on the item texts or users' histories.

Only the train part is read: masked training for encoder=bert, causal for encoder=gpt2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys pretrain encoder=gpt2 output=models/gpt2",
    "recsys pretrain encoder=bert texts=both",
)


def run(cfg: DictConfig) -> None:
    """Pretrain a language model on the texts of the train part."""
    from recsys.experiment.text_pretraining import pretrain_command

    pretrain_command(cfg)
