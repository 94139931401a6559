"""Every encoder × profile × ranker that makes sense trains, is tested, recorded, and reopens the same.

Of those that most runs are made of, all; of the others as many as it takes for every encoder to meet every profile and
every ranker, and every profile every ranker. With FULL_MATRIX=1 in the environment all of them.
"""

from __future__ import annotations

import os
from itertools import combinations, product

import pytest
import torch
from omegaconf import OmegaConf
from tiny_runs import TINY_GPT2

import recsys
from recsys.config.compatibility import check
from recsys.config.compose import conf_dir
from recsys.experiment.build import build_datamodule
from recsys.schema import ConfigError


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("[!_]*.yaml"))


def traits(group: str, choice: str) -> dict:
    return OmegaConf.load(conf_dir() / group / f"{choice}.yaml").get("traits", {})


ENCODERS, PROFILES = choices("encoder"), choices("profile")
HAVE_TEXT = [encoder for encoder in ENCODERS if traits("encoder", encoder).get("text", True)]
TRAINED = [ranker for ranker in choices("ranker") if traits("ranker", ranker).get("trained", True)]
SOLVED = [ranker for ranker in choices("ranker") if ranker not in TRAINED]
OWN_VECTORS = [ranker for ranker in TRAINED if traits("ranker", ranker).get("own_vectors")]
TRAINED = [ranker for ranker in TRAINED if ranker not in OWN_VECTORS]
LEARN_IDS = [ranker for ranker in TRAINED if recsys.compose([f"ranker={ranker}"]).features.ids]
READ_TEXT = [ranker for ranker in SOLVED if traits("ranker", ranker).get("reads_text")]

USED_PROFILES = [profile for profile in PROFILES if profile != "none"]
READ_TEXTS = [profile for profile in PROFILES if traits("profile", profile).get("reads_text")]
WORDLESS = ["none", *(encoder for encoder in HAVE_TEXT if not traits("encoder", encoder).get("words", True))]


def makes_sense(cell: tuple[str, str, str]) -> bool:
    encoder, profile, _ = cell
    return not (encoder in WORDLESS and profile in READ_TEXTS)


CROSSED_ENCODERS = ["bert", "concat", "gpt2", "none", "random", "tfidf", "transformer"]
CROSSED_PROFILES = ["attention", "id", "mean", "recurrent", "transformer"]
CROSSED_RANKERS = ["cf", "dot", "mlp"]


def pairs(cell: tuple[str, ...]) -> set[tuple[int, str, int, str]]:
    return {(a, cell[a], b, cell[b]) for a, b in combinations(range(len(cell)), 2)}


def covering(cells: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The crossed cells, and of the others those in which further pairs of choices occur: most new ones first."""
    crossed = set(product(CROSSED_ENCODERS, CROSSED_PROFILES, CROSSED_RANKERS))
    chosen = [cell for cell in cells if cell in crossed]
    left = set().union(*map(pairs, cells)) - set().union(*map(pairs, chosen))
    while left:
        chosen.append(max(cells, key=lambda cell: len(pairs(cell) & left)))
        left -= pairs(chosen[-1])
    return chosen


TRIPLES = [
    *product(HAVE_TEXT, USED_PROFILES, TRAINED),
    *product(["none"], USED_PROFILES, [ranker for ranker in TRAINED if ranker in LEARN_IDS]),
]
TRIPLES = list(filter(makes_sense, TRIPLES))
CELLS = [
    *(TRIPLES if os.environ.get("FULL_MATRIX") else covering(TRIPLES)),
    *product(["none"], ["none"], [*SOLVED, *OWN_VECTORS]),
    *product(HAVE_TEXT, ["none"], ["itemknn"]),
    ("tfidf", "none", "prompt"),
]


def with_a_new_choice(cells: list[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Those in which an encoder, a profile or a ranker comes for the first time."""
    places = [set(enumerate(cell)) for cell in cells]
    return {cell for place, cell in enumerate(cells) if places[place] - set().union(*places[:place])}


REFITTED = with_a_new_choice(CELLS)  # before the test, as a run is by default; the others take half the time
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
    if profile in READ_TEXTS:
        tiny = [*tiny, "profile.n_items=2", "profile.n_snapshots=1"]
    return [f"encoder={encoder}", f"profile={profile}", f"ranker={ranker}", "features.dim=8", *tiny]


@pytest.mark.parametrize("cell", CELLS, ids=name)
def test_a_cell_trains(cell, small_data, tiny_decoder, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}"]
    tiny = [override for choice in cell for override in tiny_decoder.get(choice, [])]
    knowledge = "refit" if cell in REFITTED else "train"
    run = recsys.run([*small_data, *overrides(*cell), *tiny, *paths, f"test_knowledge={knowledge}"])
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


def test_every_choice_meets_every_other():
    assert {(encoder, ranker) for encoder, _, ranker in CELLS} >= set(product(HAVE_TEXT, TRAINED))
    assert {(profile, ranker) for _, profile, ranker in CELLS} >= set(product(USED_PROFILES, TRAINED))
    assert set().union(*map(pairs, CELLS)) >= set().union(*map(pairs, TRIPLES))
    assert len(CELLS) >= 140
