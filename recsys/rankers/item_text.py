"""The items' text vectors as fitted rankers use them."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.layers.post_processing import PostProcessing
from recsys.schema import TrainInteractions


def processed_texts(train: TrainInteractions, steps: PostProcessing) -> Tensor:
    """Vectors (n_items, dim) after post-processing by the train items' statistics, with a mean squared length of 1.

    The mean is that of the train items. An item whose vector is zero, such as that of an empty text, stays zero.

    Raises:
        ConfigError: If the encoder's vectors have too few dimensions.
    """
    vectors = torch.from_numpy(train.text_vectors)
    warm = torch.from_numpy(train.matrix.getnnz(axis=0) > 0)
    return steps.applied(vectors, warm) * vectors.any(dim=1, keepdim=True)
