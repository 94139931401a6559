"""The items' text vectors as fitted rankers use them."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.layers.post_processing import PostProcessing, settings_of
from recsys.schema import TrainInteractions


def processed_texts(train: TrainInteractions, steps: PostProcessing) -> Tensor:
    """Vectors (n_items, dim) after post-processing by the train items' statistics, with a mean squared length of 1.

    The mean is that of the train items with a text. An item whose vector is zero, such as that of an empty text, stays
    zero; if it counted, the mean would be too small, and all texts would keep a part of it in common.

    Raises:
        ConfigError: If the encoder's vectors have too few dimensions.
    """
    vectors = torch.from_numpy(train.text_vectors)
    warm, has_text = torch.from_numpy(train.matrix.getnnz(axis=0) > 0), vectors.any(dim=1)
    fitted_on = warm & has_text
    if not fitted_on.any():
        fitted_on = warm
    with settings_of("ranker"):
        return steps.applied(vectors, fitted_on) * has_text.unsqueeze(1)
