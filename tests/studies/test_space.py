"""Search spaces, as the components' yamls declare them."""

from __future__ import annotations

import pytest
from full import FULL, only_full
from omegaconf import OmegaConf
from optuna import create_study
from optuna.samplers import RandomSampler
from optuna.trial import Trial

import recsys
from recsys.config.compose import conf_dir
from recsys.schema import ConfigError
from recsys.studies.cell_space import CellSpace
from recsys.studies.space import grid_of, search_space, suggest


def test_a_space_is_what_the_chosen_components_declare():
    cfg = recsys.compose(["encoder=tfidf", "ranker=dot", "profile=attention"])
    assert set(search_space(cfg)) == {
        "optimizer.lr",
        "optimizer.weight_decay",
        "encoder.n_components",
        "features.dim",
        "features.dropout",
        "features.hidden_dim",
        "features.normalize",
        "features.vectors.whitening",
        "features.vectors.rank",
        "profile.attention_dim",
        "batches.max_history",
        "loss",
        "negatives.n_negatives",
        "ranker.cosine",
        "ranker.temperature",
    }


@pytest.mark.parametrize(
    ("overrides", "without_effect"),
    [
        (["encoder=none", "ranker=cf"], ["features.normalize", "features.hidden_dim", "features.dropout"]),
        (["encoder=none", "ranker=cf"], ["batches.max_history"]),  # profile=id reads no history
        (["ranker=itemknn"], ["ranker.text_weight", "ranker.vectors.whitening"]),
        (["ranker=ease"], ["ranker.text_weight", "ranker.vectors.whitening"]),
        (["experiment=sasrec", "encoder=bert"], ["features.init_std"]),  # text in the place of IDs
        (["ranker=popularity"], ["loss"]),
        (["ranker=multvae"], ["loss", "negatives.n_negatives"]),
    ],
)
def test_a_key_without_effect_is_not_searched(overrides, without_effect):
    space = search_space(recsys.compose(overrides))
    assert not set(without_effect) & set(space)


@pytest.mark.parametrize(
    ("overrides", "with_effect"),
    [
        (["encoder=bert"], ["features.normalize", "batches.max_history", "ranker.cosine", "encoder.pooling", "loss"]),
        (["ranker=itemknn"], ["ranker.weighting", "ranker.shrinkage"]),
        (["experiment=sasrec"], ["features.init_std", "batches.max_history", "ranker.cosine", "loss"]),
        (["experiment=sasrec", "encoder=bert", "features=hybrid"], ["features.init_std", "features.normalize"]),
        (["ranker=lightgcn"], ["ranker.dim", "loss", "optimizer.lr"]),
    ],
)
def test_a_key_with_an_effect_is_searched(overrides, with_effect):
    assert set(with_effect) <= set(search_space(recsys.compose(overrides)))


def test_random_scores_have_nothing_to_tune():
    assert search_space(recsys.compose(["ranker=random_scores"])) == {}


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (["data=movielens_small"], {"ranker.half_life_days", "ranker.window_days"}),
        (["data=amazon_reviews", "data.path=x"], {"ranker.half_life_days", "ranker.window_days"}),
        (["data=gowalla", "data.path=x"], {"ranker.half_life_days", "ranker.window_days"}),
        (["data=bookcrossing", "data.path=x"], set()),  # its ratings have no times
    ],
)
def test_a_key_that_needs_times_is_searched_only_with_times(data, keys):
    assert set(search_space(recsys.compose(["ranker=popularity", "split=random", *data]))) == keys


SEARCHED = ("encoder", "experiment", "features", "finetune", "loss", "negatives", "optimizer", "profile", "ranker")


@pytest.mark.parametrize(
    "option", [f"{group}={file.stem}" for group in SEARCHED for file in sorted((conf_dir() / group).glob("[!_]*.yaml"))]
)
def test_a_default_is_in_the_range_that_is_searched(option):
    """Otherwise a model with the settings of its paper would be tuned without them."""
    cfg = recsys.compose([option])
    for key, entry in search_space(cfg).items():
        default = cfg.choices[key] if key in cfg.choices else OmegaConf.select(cfg, key)
        if "choice" in entry:
            found = OmegaConf.to_container(default) if OmegaConf.is_config(default) else default
            assert found in entry["choice"], (key, entry)
        elif default != 0:  # on a logarithmic scale, 0 is not in any range
            assert entry["low"] <= default <= entry["high"], (key, entry)


def test_a_study_adds_replaces_and_takes_out():
    cfg = recsys.compose(["encoder=none", "ranker=cf"])
    own = {"batches.batch_size": {"choice": [256, 512]}, "features.dim": {"choice": [8]}, "optimizer.lr": None}
    space = search_space(cfg, own)
    assert space["batches.batch_size"] == {"choice": [256, 512]}
    assert space["features.dim"] == {"choice": [8]}
    assert "optimizer.lr" not in space


@pytest.mark.parametrize(
    "entry",
    [
        3,
        {"choice": []},
        {"low": 1},
        {"low": 2, "high": 1},
        {"low": 0, "high": 1, "log": True},
        {"min": 1},
        {"choice": [1], "only": "words"},
    ],
)
def test_a_malformed_entry_is_refused_by_key(entry):
    with pytest.raises(ConfigError, match=r"the search space of optimizer.lr is .*; expected \{choice"):
        search_space(recsys.compose(), {"optimizer.lr": entry})


OTHERS = ["encoder", "features", "profile", "negatives", "optimizer", "loss"]


@pytest.mark.slow
@pytest.mark.parametrize("group", ["ranker", *(pytest.param(group, marks=only_full) for group in OTHERS)])
def test_what_components_declare_can_be_drawn_and_composed(group):
    declaring = [path for path in (conf_dir() / group).glob("[!_]*.yaml") if FULL or "\nsearch:" in path.read_text()]
    assert declaring
    for option in sorted(path.stem for path in declaring if path.stem != "none"):
        cell = [f"{group}={option}"]
        space = CellSpace(cell, lambda more, cell=cell: recsys.compose([*cell, *more]))
        every = list(space.options())
        for options in every if FULL or group in ("ranker", "loss") else every[:1]:  # losses depend on the ranker
            trial = create_study().ask()
            suggest(trial, space.given(options), lambda key: RandomSampler(seed=len(key)))
            drawn = [f"{key}={value}" for key, value in {**options, **trial.params}.items()]
            assert recsys.compose([*cell, *drawn]), option


@pytest.mark.parametrize("n_before", [0, 1, 2])
def test_a_trial_that_was_killed_while_it_chose_ends_with_the_same_values(n_before):
    space = {key: {"low": 0.0, "high": 1.0} for key in "abc"}
    whole, killed = create_study().ask(), create_study().ask()
    suggest(whole, space, lambda key: RandomSampler(seed=ord(key)))
    suggest(killed, dict(list(space.items())[:n_before]), lambda key: RandomSampler(seed=ord(key)))
    adopted = Trial(killed.study, killed._trial_id)
    suggest(adopted, space, lambda key: RandomSampler(seed=ord(key)))
    assert adopted.params == whole.params


def test_a_grid_has_all_choices_and_evenly_spaced_points():
    space = {"a": {"low": 0.0, "high": 1.0}, "b": {"choice": [None, [1, 2]]}, "c": {"low": 1, "high": 8, "log": True}}
    assert grid_of(space, 3) == {"a": [0.0, 0.5, 1.0], "b": ["null", "[1,2]"], "c": [1, 3, 8]}
