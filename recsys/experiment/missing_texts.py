"""Encoders of texts on data whose items have no text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig

from recsys.config.overrides import override
from recsys.config.traits import reads_words, traits_of
from recsys.data.dataset import Dataset
from recsys.data.item_texts import columns_of, have_texts, template_of
from recsys.data.sources.frames import SUFFIX
from recsys.schema import ConfigError
from recsys.support.shell_words import shell_word

ITEM_TEXT, TEMPLATE = "item_text", "data.items.template"


def check_item_texts(cfg: DictConfig, dataset: Dataset, inputs: Sequence[Any]) -> None:
    """Check that an encoder of texts has texts to read. Profiles of texts about users need none of the items.

    Args:
        cfg: The configuration of a run.
        dataset: The data, with the texts that the encoder reads.
        inputs: The encoder's inputs; tuples of those of several encoders.

    Raises:
        ConfigError: If no item has a text; the message names the key of the template, and the items' columns.
    """
    reads_users = bool(traits_of(cfg.get("profile")).get("reads_text", False))
    if have_texts(dataset) or reads_users or not reads_words(cfg.encoder) or not _some_are_blank(inputs):
        return
    raise ConfigError(
        f"encoder={cfg.choices.encoder} reads texts, and none of the {dataset.n_items:,} items of {dataset.name} has "
        f"one: {advice(cfg, dataset)}, or use encoder=none."
    )


def suggested(cfg: DictConfig, dataset: Dataset) -> str | None:
    """The override that gives the items of a table texts of all their columns with words; None if there is none."""
    template = template_of(dataset.items) if _is_table(cfg) and cfg.data["items"].template is None else None
    return None if template is None else override(TEMPLATE, template)


def advice(cfg: DictConfig, dataset: Dataset) -> str:
    """How to give the items texts: the key to set, with an example, and the columns that a template can use."""
    columns = columns_of(dataset.items)
    listed = f"the items have the columns {', '.join(columns)}" if columns else "the items have no other columns"
    if cfg.get(ITEM_TEXT) is not None:
        return f"{ITEM_TEXT}={cfg.item_text!r} makes no text; choose other columns ({listed})"
    if not _is_table(cfg):
        if not columns:
            return "choose data with a table of items"
        return f"set {ITEM_TEXT}, as in {shell_word(override(ITEM_TEXT, f'{{{columns[0]}}}'))} ({listed})"
    table = cfg.data["items"]
    key = f"{TEMPLATE} (item_text of recsys.dataset)" if str(table.file).endswith(SUFFIX) else TEMPLATE
    if table.file is None:
        return f"give a table of items (data.items.file) and a template of their texts ({TEMPLATE})"
    if table.template is not None:
        return f"{key} is {table.template!r}, which makes no text; choose other columns ({listed})"
    proposed = suggested(cfg, dataset)
    return f"set {key}{'' if proposed is None else f', as in {shell_word(proposed)}'} ({listed})"


def _is_table(cfg: DictConfig) -> bool:
    """Whether the data is of `data=table` or of a yaml that begins with it."""
    return "items" in cfg.data and "template" in cfg.data["items"]


def _some_are_blank(inputs: Sequence[Any]) -> bool:
    """Whether the inputs of an encoder, or of one of several, are all blank texts."""
    rows = [each if isinstance(each, tuple) else (each,) for each in inputs]
    of_encoders = zip(*rows, strict=True)
    return any(all(isinstance(each, str) and not each.strip() for each in own) for own in of_encoders)
