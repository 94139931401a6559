"""Ways to use an encoder's vectors, each trained, tested, recorded and reopened."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from full import only_full

import recsys
from recsys.commands.score import run_config
from recsys.experiment.build import build_datamodule
from recsys.experiment.inputs import load_split
from recsys.schema import ConfigError, DataError

WAYS = {
    "whitened": ["features.vectors.whitening=0.5", "features.vectors.remove_top=1"],
    "reduced": ["features=hybrid", "features.vectors.rank=8", "features.vectors.truncate=16"],
    "offsets": ["finetune=delta", "features.vectors.truncate=16"],
    "ids": ["features=ids"],
    "sequence": ["experiment=bert4rec", "features=ids"],
    "graph": ["ranker=lightgcn", "ranker.dim=8", "loss=infonce", "ranker.cosine=true"],
    "alpharec": ["experiment=alpharec", "ranker.dim=8", "ranker.text.vectors.whitening=0.5"],
    "infonce": ["loss=infonce", "negatives=in_batch", "ranker.cosine=true"],
}


@pytest.fixture
def vectors(small_data, cache_dir, tmp_path) -> list[str]:
    """Overrides that choose a file with vectors of all items but one, a popular one."""
    split = load_split(recsys.compose([*small_data, f"paths.cache_dir={cache_dir}"]))
    ids, values = split.dataset.items["item_id"].to_list(), np.random.default_rng(0).standard_normal((300, 6))
    absent = int(split.item_counts.argmax())
    kept = [row for row in range(len(ids)) if row != absent]
    return recsys.save_vectors(tmp_path / "v.safetensors", values[kept], [ids[row] for row in kept])


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [["ranker=dot"], *(pytest.param([ranker], marks=only_full) for ranker in ("ranker=ease", "ranker=itemknn"))],
)
def test_vectors_of_a_file_rank(chosen, vectors, small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}"]
    overrides = [*small_data, *vectors, *chosen, *paths]
    with pytest.raises(DataError, match="has no vector for 1 of 300 items"):
        recsys.run(overrides)
    mean = recsys.run([*overrides, "encoder.missing=mean"])
    assert mean.record.encoding["n_missing"] == 1
    assert 0 < mean.record.metrics["test/ndcg@10"] < 1
    dropped = recsys.run([*overrides, "encoder.missing=drop"])
    assert dropped.split.dataset.n_items == 299
    assert (
        dropped.record.data_statistics["dropped"]["items_without_vector"] == dropped.record.encoding["n_missing"] == 1
    )
    assert any(each.startswith("1 items without a vector and their ") for each in dropped.record.warnings)
    with pytest.raises(ConfigError, match=r"like=.*left out items without a vector"):
        run_config(recsys.compose([f"file={tmp_path}/l.csv", f"like={dropped.folder}", *paths], "score"))
    assert dropped.record.protocol["split_fingerprint"] != mean.record.protocol["split_fingerprint"]
    assert dropped.record.contents["encoder_content"]["provenance"] is None
    assert recsys.recommend(recsys.load(dropped.folder), dropped.split.dataset.users["user_id"][0]).height == 10


SAME_WAY = ["reduced", "ids", "infonce", "graph"]  # as the others, in parts


@pytest.mark.slow
@pytest.mark.parametrize("way", [pytest.param(way, marks=only_full) if way in SAME_WAY else way for way in WAYS])
def test_it_is_trained_and_reopened(way, small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}"]
    width = ["features.dim=8"] if recsys.compose(WAYS[way]).features.dim else []
    chosen = [*WAYS[way], "encoder=tfidf", "encoder.n_components=32", *width]
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
