"""Ways to use an encoder's vectors, each trained, tested, recorded and reopened."""

from __future__ import annotations

import pytest
import torch

import recsys
from recsys.experiment.build import build_datamodule

WAYS = {
    "whitened": ["features.vectors.whitening=0.5", "features.vectors.remove_top=1"],
    "reduced": ["features=hybrid", "features.vectors.rank=8", "features.vectors.truncate=16"],
    "offsets": ["finetune=delta", "features.vectors.truncate=16"],
    "ids": ["features=ids"],
    "sequence": ["experiment=bert4rec", "features=ids"],
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_trained_and_reopened(way, small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}"]
    chosen = [*WAYS[way], "encoder=tfidf", "encoder.n_components=32", "features.dim=8"]
    run = recsys.run([*small_data, *chosen, *paths, "test_knowledge=train"])
    assert 0 < run.record.metrics["test/ndcg@10"] < 1
    again = recsys.load(run.folder)
    batch = next(iter(build_datamodule(again.cfg, again.split, again.model).test_dataloader()))
    with torch.inference_mode():
        first, second = (
            one.model.score_catalogue(batch.users, one.model.item_vectors(one.split.dataset.n_items))
            for one in (run, again)
        )
    assert torch.equal(first, second)
