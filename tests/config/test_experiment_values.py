"""Values of an experiment do not outlive the options that they are of."""

from __future__ import annotations

import pytest

from recsys.config.compatibility import check
from recsys.config.compose import compose
from recsys.studies.cell_space import CellSpace


@pytest.mark.parametrize("experiment", ["esasrec", "hstu"])
def test_another_loss_has_no_number_of_negatives(experiment):
    cfg = compose([f"experiment={experiment}", "loss=full_softmax"])
    assert cfg.choices.negatives == "all"
    assert "n_negatives" not in cfg.negatives
    assert "n_negatives" not in (cfg.negatives.get("search") or {})
    check(cfg)


def test_values_stay_with_the_experiment_s_options():
    cfg = compose(["experiment=esasrec", "encoder=bert", "features=hybrid"])
    assert cfg.negatives.n_negatives == 256
    assert cfg.negatives.search.n_negatives.choice == [32, 128, 256]
    assert compose(["experiment=esasrec", "negatives=popularity"]).negatives.n_negatives == 256


def test_values_of_an_inherited_experiment_go_with_its_option():
    assert compose(["experiment=lstur"]).profile.user_state
    assert "user_state" not in compose(["experiment=lstur", "profile=mean"]).profile


def test_a_wrong_key_of_an_experiment_stays_so_that_it_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "experiment" / "mine.yaml"
    path.parent.mkdir()
    path.write_text("# @package _global_\ndefaults: [{override /loss: bpr}]\nnegatives: {n_negativs: 3}\n")
    monkeypatch.setenv("RECSYS_CONF", str(tmp_path))
    assert compose(["experiment=mine", "encoder=tfidf"]).negatives.n_negativs == 3


@pytest.mark.parametrize("experiment", ["sasrec", "esasrec", "hstu", "bsarec", "alpharec"])
def test_each_option_of_an_experiment_s_search_is_possible(experiment):
    overrides = [f"experiment={experiment}"]
    space = CellSpace(overrides, lambda further: compose([*overrides, *further]), {})
    for options in space.options():
        cfg = compose([*overrides, *(f"{group}={option}" for group, option in options.items())])
        check(cfg)
        for key in space.given(options):
            assert key.split(".")[-1] in cfg[key.split(".")[0]] or key.count(".") > 1, key
