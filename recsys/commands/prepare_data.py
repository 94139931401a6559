"""Validate a data set, print its statistics, and cache it.

The statistics of the split are printed as well. Nothing is trained.
"""

from __future__ import annotations

from omegaconf import DictConfig

from recsys.commands.next_steps import print_next_steps
from recsys.config.compatibility import check_data
from recsys.data.dataset import Dataset
from recsys.data.description import describe, render
from recsys.data.item_texts import have_texts
from recsys.data.sources.faults import faulty_rows_warnings
from recsys.experiment.inputs import load_split
from recsys.experiment.missing_texts import advice, suggested
from recsys.support.screen import Screen

EXAMPLES = (
    "recsys prepare_data split=temporal",
    "recsys prepare_data data=movielens data.path=ml-1m.zip",
)


def run(cfg: DictConfig) -> None:
    """Read a data set (or find it in the cache) and print its statistics and those of its split.

    Raises:
        ConfigError: If the configuration is impossible.
        DataError: If the data is malformed.
    """
    check_data(cfg)
    split = load_split(cfg)
    console = Screen()
    for table in render(describe(split.dataset, split)):
        console.print(table)
    dataset = split.dataset
    missing = [] if have_texts(dataset) else [f"no item has a text, which text encoders need: {advice(cfg, dataset)}."]
    for warning in [*faulty_rows_warnings(dataset.dropped, dataset.interactions.height), *split.warnings, *missing]:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)
    console.print(f"{split.dataset.name}, split {split.name} ({split.fingerprint}), is ready in {cfg.paths.cache_dir}.")
    print_next_steps(console, cfg, *_next_steps(cfg, dataset))


def _next_steps(cfg: DictConfig, dataset: Dataset) -> list[list[str]]:
    own = [
        override for override in map(str, cfg.get("overrides") or []) if not override.startswith(("paths.", "trust="))
    ]
    with_ids = ["train", *own, "encoder=none", "ranker=cf"]
    if have_texts(dataset):
        return [with_ids, ["train", *own, "encoder=bert"]]
    template = suggested(cfg, dataset)
    return [["prepare_data", *own, template], with_ids] if template else [with_ids]
