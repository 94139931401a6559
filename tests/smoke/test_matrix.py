"""Every encoder × profile × ranker that makes sense trains, is tested, recorded, and reopens the same."""

from __future__ import annotations

from itertools import cycle, product

import pytest
import torch
from omegaconf import OmegaConf
from tiny_runs import TINY_GPT2

import recsys
from recsys.assembly import build_datamodule
from recsys.config import check, conf_dir
from recsys.schema import ConfigError


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def traits(group: str, choice: str) -> dict:
    return OmegaConf.load(conf_dir() / group / f"{choice}.yaml").get("traits", {})


ENCODERS, PROFILES = choices("encoder"), choices("profile")
HAVE_TEXT = [encoder for encoder in ENCODERS if traits("encoder", encoder).get("text", True)]
TRAINED = [ranker for ranker in choices("ranker") if traits("ranker", ranker).get("trained", True)]
SOLVED = [ranker for ranker in choices("ranker") if ranker not in TRAINED]
OWN_VECTORS = [ranker for ranker in TRAINED if traits("ranker", ranker).get("own_vectors")]
TRAINED = [ranker for ranker in TRAINED if ranker not in OWN_VECTORS]
CROSSED = ["cf", "dot", "mlp"]  # with every pair of an encoder and a profile; others with each encoder and each profile
LEARN_IDS = [ranker for ranker in TRAINED if recsys.compose([f"ranker={ranker}"]).features.ids]
READ_TEXT = [ranker for ranker in SOLVED if traits("ranker", ranker).get("reads_text")]

USED_PROFILES = [profile for profile in PROFILES if profile != "none"]
READ_TEXTS = [profile for profile in PROFILES if traits("profile", profile).get("reads_text")]
WORDLESS = ["none", *(encoder for encoder in HAVE_TEXT if not traits("encoder", encoder).get("words", True))]


def makes_sense(cell: tuple[str, str, str]) -> bool:
    encoder, profile, _ = cell
    return not (encoder in WORDLESS and profile in READ_TEXTS)


def once_each(ranker: str) -> list[tuple[str, str, str]]:
    encoders = ENCODERS if ranker in LEARN_IDS else HAVE_TEXT
    profiles = [profile for profile in USED_PROFILES if profile not in READ_TEXTS]
    return [(encoder, profile, ranker) for encoder, profile in zip(encoders, cycle(profiles), strict=False)]


PAIRS = [
    *product(HAVE_TEXT, USED_PROFILES, CROSSED),
    *product(["none"], USED_PROFILES, [ranker for ranker in CROSSED if ranker in LEARN_IDS]),
    *(cell for ranker in TRAINED if ranker not in CROSSED for cell in once_each(ranker)),
]
CELLS = [
    *filter(makes_sense, PAIRS),
    *product(["none"], ["none"], [*SOLVED, *OWN_VECTORS]),
    *product(HAVE_TEXT, ["none"], READ_TEXT),
]
REFUSED = {
    "ignores": [
        *product(["none"], ["mean"], [*SOLVED, *OWN_VECTORS]),  # they have no use for a profile
        *product(["tfidf"], ["none"], [ranker for ranker in [*SOLVED, *OWN_VECTORS] if ranker not in READ_TEXT]),
    ],
    "what an encoder makes of a text": [*product(WORDLESS, READ_TEXTS, ["cf"])],
    "needs a profile": list(product(["tfidf"], ["none"], TRAINED)),
    "neither text nor": list(product(["none"], ["mean"], [ranker for ranker in TRAINED if ranker not in LEARN_IDS])),
}


def name(cell: tuple[str, str, str]) -> str:
    return "-".join(cell)


def overrides(encoder: str, profile: str, ranker: str) -> list[str]:
    tiny = TINY_GPT2 if encoder == "gpt2" else []
    return [f"encoder={encoder}", f"profile={profile}", f"ranker={ranker}", "features.dim=8", *tiny]


@pytest.mark.parametrize("cell", CELLS, ids=name)
def test_a_cell_trains(cell, small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}"]
    run = recsys.run([*small_data, *overrides(*cell), *paths])
    metrics = run.record.metrics
    assert 0 < metrics["test/ndcg@10"] <= 1
    assert 0 < metrics["test/auc"] <= 1
    assert (run.folder / "model.safetensors").exists()
    assert run.record.protocol["split"] == "user_temporal"
    again = recsys.load(run.folder)
    batch = next(iter(build_datamodule(again.cfg, again.split, again.model).test_dataloader()))
    with torch.inference_mode():
        first, second = (
            one.model.score_catalogue(batch.users, one.model.item_vectors(one.split.dataset.n_items))
            for one in (run, again)
        )
    assert torch.equal(first, second)


@pytest.mark.parametrize(("reason", "cell"), [(reason, cell) for reason in REFUSED for cell in REFUSED[reason]])
def test_a_cell_without_sense_is_refused(reason, cell):
    with pytest.raises(ConfigError, match=reason):
        check(recsys.compose(overrides(*cell)))


def test_every_encoder_goes_with_every_ranker_that_learns():
    assert {(encoder, ranker) for encoder, _, ranker in CELLS} >= set(product(HAVE_TEXT, TRAINED))
    assert len(CELLS) >= 75
