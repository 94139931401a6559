"""Text vectors for fitted rankers: statistics of the train items that have a text."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recsys.layers.post_processing import PostProcessing
from recsys.rankers.item_text import processed_texts
from recsys.schema import ConfigError, TrainInteractions

N_ITEMS, N_WARM = 30, 20


def interactions(texts: np.ndarray) -> TrainInteractions:
    """One user, who knows the first 20 of these items."""
    return TrainInteractions(np.zeros(N_WARM, int), np.arange(N_WARM), None, 1, len(texts), texts)


@pytest.mark.parametrize("whitening", [0.0, 0.5])
def test_items_without_text_change_no_other_items_vector(whitening):
    texts = (np.random.default_rng(0).standard_normal((N_ITEMS, 4)) + 3).astype(np.float32)
    texts[:8] = 0
    found = processed_texts(interactions(texts), PostProcessing(whitening=whitening))
    of_texts = found[8:N_WARM]
    assert not found[:8].any()
    assert of_texts.mean(dim=0).abs().max() < 1e-6
    assert float(of_texts.square().sum(dim=1).mean()) == pytest.approx(1, abs=1e-5)


def test_without_any_text_of_a_train_item_all_vectors_are_finite():
    texts = np.zeros((N_ITEMS, 4), dtype=np.float32)
    texts[-1] = 1
    assert torch.isfinite(processed_texts(interactions(texts), PostProcessing(whitening=1.0))).all()


def test_an_impossible_width_is_named_by_its_whole_key():
    with pytest.raises(ConfigError, match=r"^ranker\.vectors\.truncate is 99"):
        processed_texts(interactions(np.ones((N_ITEMS, 3), dtype=np.float32)), PostProcessing(truncate=99))
