"""Every encoder × profile × ranker that is not refused trains, is tested, recorded, and reopens the same."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from tiny_runs import TINY_GPT2

import recsys
from recsys.config import check, conf_dir
from recsys.schema import TEST, ConfigError
from recsys.training.batches import EvaluationBatches


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


CELLS = [
    pytest.param(encoder, profile, ranker, id=f"{encoder}-{profile}-{ranker}")
    for encoder, profile, ranker in product(choices("encoder"), choices("profile"), choices("ranker"))
]
REFUSED = {
    "ignores",  # a ranker that is not trained with a profile, or with an encoder that it does not read
    "neither text nor",  # nothing to score by
    "needs a profile",  # a trained ranker without one
}


def overrides(encoder: str, profile: str, ranker: str) -> list[str]:
    tiny = TINY_GPT2 if encoder == "gpt2" else []
    return [f"encoder={encoder}", f"profile={profile}", f"ranker={ranker}", "features.dim=8", *tiny]


@pytest.mark.parametrize(("encoder", "profile", "ranker"), CELLS)
def test_a_cell_trains_or_is_refused(encoder, profile, ranker, small_data, cache_dir, tmp_path):
    cfg = recsys.compose(
        [
            *small_data,
            *overrides(encoder, profile, ranker),
            f"paths.cache_dir={cache_dir}",
            f"paths.runs_dir={tmp_path}",
        ]
    )
    try:
        check(cfg)
    except ConfigError as error:
        if not any(reason in str(error) for reason in REFUSED):
            raise
        return
    run = recsys.run(cfg)
    metrics = run.record.metrics
    assert 0 < metrics["test/ndcg@10"] <= 1
    assert 0 < metrics["test/auc"] <= 1
    assert (run.folder / "model.safetensors").exists()
    assert run.record.protocol["split"] == "user_temporal"
    again = recsys.load(run.folder)
    batch = next(iter(EvaluationBatches(_queries(again), 5, 50)))
    with torch.inference_mode():
        first, second = (
            one.model.score_catalogue(batch.users, one.model.item_vectors(one.split.dataset.n_items))
            for one in (run, again)
        )
    assert torch.equal(first, second)


def _queries(run):
    from recsys.data.queries import stage_queries

    return stage_queries(run.split, TEST)


def test_most_cells_are_not_refused():
    def is_allowed(cell):
        try:
            check(recsys.compose([*overrides(*cell.values)]))
        except ConfigError:
            return False
        return True

    assert sum(map(is_allowed, CELLS)) >= 75
