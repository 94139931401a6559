"""Every encoder × profile × ranker that makes sense trains, is tested, recorded, and reopens the same.

`make test` and `make test-slow` together make one whole run of each encoder, profile and ranker, one with text of each
ranker that needs no profile and reads text, and one training step for every pair of choices. `make test-all` takes the
step with all triples. It makes whole runs of all combinations that most runs are made of, and of as many others as it
takes for every pair to occur; with FULL_MATRIX=1 of all of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from itertools import combinations, product
from typing import Any

import pytest
import torch
from full import FULL
from omegaconf import OmegaConf
from tiny_runs import TINY_GPT2

import recsys
from recsys.config.compatibility import check
from recsys.config.compose import conf_dir
from recsys.experiment.build import assemble, build_datamodule
from recsys.experiment.inputs import load_split, text_features
from recsys.schema import ConfigError


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("[!_]*.yaml"))


@cache
def traits(group: str, choice: str) -> dict:
    return OmegaConf.load(conf_dir() / group / f"{choice}.yaml").get("traits", {})


ENCODERS, PROFILES = choices("encoder"), choices("profile")
HAVE_TEXT = [encoder for encoder in ENCODERS if traits("encoder", encoder).get("text", True)]
TRAINED = [ranker for ranker in choices("ranker") if traits("ranker", ranker).get("trained", True)]
OUTSIDE = [ranker for ranker in choices("ranker") if traits("ranker", ranker).get("outside")]  # test_score.py
SOLVED = [ranker for ranker in choices("ranker") if ranker not in [*TRAINED, *OUTSIDE]]
OWN_VECTORS = [ranker for ranker in TRAINED if traits("ranker", ranker).get("own_vectors")]
TRAINED = [ranker for ranker in TRAINED if ranker not in OWN_VECTORS]
LEARN_IDS = [ranker for ranker in TRAINED if recsys.compose([f"ranker={ranker}"]).features.ids]
READ_TEXT = [ranker for ranker in SOLVED if traits("ranker", ranker).get("reads_text")]
TEXT_AND_OWN = [ranker for ranker in OWN_VECTORS if traits("ranker", ranker).get("text_vectors")]
NEED_TEXT = [ranker for ranker in OWN_VECTORS if traits("ranker", ranker).get("needs_text")]

USED_PROFILES = [profile for profile in PROFILES if profile != "none"]
READ_TEXTS = [profile for profile in PROFILES if traits("profile", profile).get("reads_text")]
WORDLESS = ["none", *(encoder for encoder in HAVE_TEXT if not traits("encoder", encoder).get("words", True))]


Cell = tuple[str, str, str]


def makes_sense(cell: Cell) -> bool:
    encoder, profile, _ = cell
    return not (encoder in WORDLESS and profile in READ_TEXTS)


CROSSED = set(
    product(
        ["bert", "concat", "gpt2", "none", "random", "tfidf", "transformer"],
        ["attention", "id", "mean", "recurrent", "transformer"],
        ["cf", "dot", "mlp"],
    )
)
BY_TRAITS = ["none", "random", "tfidf"]  # encoders: no text, vectors without words, words


def pairs(cell: tuple[str, ...]) -> set[tuple[int, str, int, str]]:
    return {(a, cell[a], b, cell[b]) for a, b in combinations(range(len(cell)), 2)}


def covering(cells: list[Cell], crossed: set[Cell] = frozenset()) -> list[Cell]:
    """The crossed cells, and of the others those in which further pairs of choices occur: most new ones first."""
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
    *(TRIPLES if os.environ.get("FULL_MATRIX") else covering(TRIPLES, CROSSED)),
    *product(["none"], ["none"], [ranker for ranker in [*SOLVED, *OWN_VECTORS] if ranker not in NEED_TEXT]),
    *product(HAVE_TEXT, ["none"], [*(ranker for ranker in READ_TEXT if ranker != "prompt"), *TEXT_AND_OWN]),
    ("tfidf", "none", "prompt"),
]


def with_a_new_choice(cells: list[Cell], places: Sequence[int] = (0, 1, 2)) -> list[Cell]:
    """Those in which an encoder, a profile or a ranker comes for the first time."""
    seen: set[tuple[int, str]] = set()
    chosen = []
    for cell in cells:
        own = {(place, cell[place]) for place in places}
        if own - seen:
            chosen.append(cell)
        seen |= own
    return chosen


CHEAP_FIRST = sorted(CELLS, key=lambda cell: cell[0] not in BY_TRAITS)
# A ranker that needs no profile is run without text, as it is chosen first, and with text.
ONE_OF_EACH = [*with_a_new_choice(CHEAP_FIRST), *(cell for cell in CELLS if cell[:2] == ("tfidf", "none"))]
WHOLE_RUNS = CELLS if FULL or os.environ.get("FULL_MATRIX") else list(dict.fromkeys(ONE_OF_EACH))
REFITTED = with_a_new_choice(CHEAP_FIRST, [2])  # before the test, as a run is by default
BY_STEP = covering([cell for cell in TRIPLES if cell[0] in BY_TRAITS])
STEPS = TRIPLES if FULL else covering(TRIPLES, set(BY_STEP))  # every pair of choices occurs
# Each profile with two of the rankers, and each ranker with several profiles: they meet in a vector of the user.
TWO_RANKERS = {
    (profile, TRAINED[(n + shift) % len(TRAINED)]) for n, profile in enumerate(USED_PROFILES) for shift in (0, 1)
}
QUICK_STEPS = [cell for cell in BY_STEP if cell[1:] in TWO_RANKERS]
REFUSED = {
    "ignores": [
        *product(["none"], ["mean"], [*SOLVED, *OWN_VECTORS]),  # they have no use for a profile
        *(("tfidf", "none", ranker) for ranker in [*SOLVED, *OWN_VECTORS] if ranker not in (*READ_TEXT, *TEXT_AND_OWN)),
    ],
    "the encoder's vector of a text": [*product(WORDLESS, READ_TEXTS, ["cf"])],
    "cannot use profile=none": list(product(["tfidf"], ["none"], TRAINED)),
    "makes no vectors": [*product(["none"], ["none"], NEED_TEXT)],
    "neither text nor": list(product(["none"], ["mean"], [ranker for ranker in TRAINED if ranker not in LEARN_IDS])),
}


def name(cell: Cell) -> str:
    return "-".join(cell)


def timed(cell: Cell) -> Any:
    """The cell, marked as slow if its encoder has a network, or its ranker needs no profile (see tests/rankers too)."""
    is_slow = cell[0] not in [*BY_TRAITS, "vectors", "endpoint"] or cell[1] == "none"
    return pytest.param(cell, marks=[pytest.mark.slow] * is_slow)


def overrides(encoder: str, profile: str, ranker: str) -> list[str]:
    tiny = TINY_GPT2 if encoder == "gpt2" else []
    if profile in READ_TEXTS:
        tiny = [*tiny, "profile.n_items=2", "profile.n_snapshots=1"]
    if ranker == "generative":
        tiny = [*tiny, "ranker.dim=16", "ranker.n_layers=1", "ranker.codes.n_levels=2", "ranker.codes.n_codes=16"]
    return [f"encoder={encoder}", f"profile={profile}", f"ranker={ranker}", "features.dim=8", *tiny]


@pytest.mark.parametrize("cell", [timed(cell) for cell in WHOLE_RUNS], ids=name)
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


@pytest.mark.parametrize(
    "cell", [pytest.param(cell, marks=[pytest.mark.slow] * (cell not in QUICK_STEPS)) for cell in STEPS], ids=name
)
def test_a_cell_takes_a_step(cell, small_data, tiny_decoder, cache_dir):
    steps = "batches.examples_per_loop_step=0"  # one by one, without a Trainer
    tiny = [override for choice in cell for override in tiny_decoder.get(choice, [])]
    cfg = recsys.compose([*small_data, *overrides(*cell), *tiny, steps, f"paths.cache_dir={cache_dir}"])
    check(cfg)
    split = load_split(cfg)
    module = assemble(cfg, split, text_features(cfg, split).vectors)
    data, model = build_datamodule(cfg, split, module.recommender), module.recommender
    module.make_sampler(torch.device("cpu"))
    module.on_train_epoch_start()
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimizer = module.make_optimizer(model.parameter_groups())
    module.training_step(next(iter(data.train_dataloader()))[:1], 0).backward()
    optimizer.step()
    assert any(not torch.equal(before[name], value) for name, value in model.named_parameters())
    batch = next(iter(data.val_dataloader()))
    with torch.inference_mode():
        scores = model.score_catalogue(batch.users, model.item_vectors(split.dataset.n_items))
    assert scores.shape == (len(batch.users.idx), split.dataset.n_items)
    assert scores.isfinite().all()
    assert (scores.std(dim=1) > 0).all()


@pytest.mark.parametrize(
    ("reason", "cell"),
    [
        pytest.param(reason, cell, marks=[pytest.mark.slow] * (number > 0))
        for reason in REFUSED
        for number, cell in enumerate(REFUSED[reason])
    ],
)
def test_a_cell_without_sense_is_refused(reason, cell):
    with pytest.raises(ConfigError, match=reason):
        check(recsys.compose(overrides(*cell)))


def test_every_choice_meets_every_other():
    assert {(encoder, ranker) for encoder, _, ranker in CELLS} >= set(product(HAVE_TEXT, TRAINED))
    assert {(profile, ranker) for _, profile, ranker in CELLS} >= set(product(USED_PROFILES, TRAINED))
    assert set().union(*map(pairs, CELLS)) >= set().union(*map(pairs, TRIPLES))
    assert len(CELLS) >= 140
    assert set().union(*map(pairs, STEPS)) == set().union(*map(pairs, TRIPLES))
    assert {cell[1] for cell in QUICK_STEPS} == set(USED_PROFILES)
    assert {cell[2] for cell in QUICK_STEPS} == set(TRAINED)
    for place, group in enumerate(("encoder", "profile", "ranker")):
        assert {cell[place] for cell in WHOLE_RUNS} == set(choices(group)) - {"lists"}  # which needs a file
    assert {("tfidf", ranker) for ranker in (*READ_TEXT, *TEXT_AND_OWN)} <= {(cell[0], cell[2]) for cell in WHOLE_RUNS}
