"""Semantic IDs of a data set's items, as a table with the measures of their quality."""

from __future__ import annotations

import polars as pl
import torch
from omegaconf import DictConfig

from recsys.config.compose import build
from recsys.experiment.inputs import load_split, text_features
from recsys.layers.semantic_codes import SemanticCodes, with_extra_code
from recsys.schema import ITEM_ID
from recsys.serving.code_quality import CodeQuality, code_quality

IN_TRAIN, EXTRA = "in_train", "extra_code"


def semantic_id_table(cfg: DictConfig) -> tuple[pl.DataFrame, CodeQuality]:
    """The items' codes, fitted on an encoder's vectors, and their quality.

    The columns are `item_id`, `code_1` and so on, `extra_code`, which distinguishes items with equal codes, and
    `in_train`, whether the codes were fitted on the item.

    Args:
        cfg: Configuration of `recsys semantic_ids`.
    """
    split = load_split(cfg)
    vectors, train = text_features(cfg, split).vectors, torch.from_numpy(split.warm_items)
    settings: SemanticCodes = build("codes", cfg.codes)
    made = settings.fit(torch.from_numpy(vectors), train)
    unique = with_extra_code(made.codes, train).numpy()
    names = [*(f"code_{level + 1}" for level in range(made.codes.shape[1])), EXTRA]
    columns = {name: unique[:, place] for place, name in enumerate(names)}
    table = pl.DataFrame({ITEM_ID: split.dataset.items[ITEM_ID], **columns, IN_TRAIN: split.warm_items})
    quality = code_quality(
        made.codes.numpy(), vectors, made.reconstructed.numpy(), cfg.n_neighbours, cfg.n_sampled, settings.seed
    )
    return table, quality
