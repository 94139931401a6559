"""Values of an experiment do not outlive the options that they are of."""

from __future__ import annotations

import pytest

from recsys.config.compatibility import check
from recsys.config.compose import compose, conf_dir
from recsys.experiment.rehearsal import rehearse
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


@pytest.mark.slow
@pytest.mark.parametrize("experiment", sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml")))
def test_a_run_with_each_option_of_an_experiment_s_search_is_possible(experiment, tmp_path):
    overrides = [f"experiment={experiment}"]
    if compose(overrides).choices.data == "mind":
        overrides.append(f"data.path={tmp_path}")
    space = CellSpace(overrides, lambda further: compose([*overrides, *further]), {})
    for options in space.options():
        rehearse(compose([*overrides, *(f"{group}={option}" for group, option in options.items())]))
