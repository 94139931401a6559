"""Controls: both cells of a pair with the settings that the search of the other found."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf, open_dict
from rich.console import Console
from studies.conftest import maker

from recsys.reports.methods import methods
from recsys.schema import ConfigError
from recsys.studies.comparisons import comparisons
from recsys.studies.controls import Searched, exchanged
from recsys.studies.dry_run import print_plan
from recsys.studies.plan import plan, retuned, space_of
from recsys.studies.runner import run_study
from recsys.tracking.store import Store

SEARCH = ["search=random", "search.n_trials=3", "search.defaults_first=false", "study.seeds=[0]"]
PAIR = "study.same_settings=[[cf,text]]"
CONTROLS = ["cf (settings of text)", "text (settings of cf)"]


@pytest.fixture
def searched(study_of):
    """A function of the best parameters of `cf` and `text`: both cells after their searches."""

    def make(**parameters):
        cfg = study_of("search=random", "study.space={ranker.half_life_days: null, ranker.window_days: null}")
        cells = {planned.label: planned for planned in plan(cfg)}
        return [
            Searched(cells[label], space_of(cfg, cells[label]), own, retuned(cfg, cells[label], own))
            for label, own in parameters.items()
        ]

    return make


def test_a_cell_keeps_what_only_it_has_and_takes_what_both_search(searched):
    cf, text = searched(
        cf={"loss": "full_softmax", "optimizer.lr": "0.01", "optimizer.weight_decay": "0.2"},
        text={
            "loss": "sampled_softmax",
            "negatives.n_negatives": "8",
            "optimizer.lr": "0.03",
            "features.dropout": "0.4",
        },
    )
    of_text = exchanged(cf, text)
    assert of_text["loss"] == "sampled_softmax"
    assert of_text["negatives.n_negatives"] == "8"
    assert of_text["optimizer.lr"] == "0.03"
    assert float(of_text["optimizer.weight_decay"]) == text.made.cfg.optimizer.weight_decay
    assert "features.dropout" not in of_text
    of_cf = exchanged(text, cf)
    assert (of_cf["loss"], of_cf["optimizer.lr"], of_cf["features.dropout"]) == ("full_softmax", "0.01", "0.4")
    assert "negatives.n_negatives" not in of_cf, "the full softmax has no sampled negatives"


def test_the_settings_of_a_cell_whose_own_settings_were_best_are_those_of_its_configuration(searched):
    cf, text = searched(cf={"optimizer.lr": "0.5", "loss": "sampled_softmax"}, text={})
    given = exchanged(cf, text)
    assert given["loss"] == text.planned.cfg.choices.loss
    assert float(given["optimizer.lr"]) == text.planned.cfg.optimizer.lr


@pytest.mark.slow
def test_a_study_runs_both_controls_and_reports_them(study_of, tmp_path, capsys):
    console = Console(width=200)
    print_plan(study_of(*SEARCH, PAIR), console)
    shown = capsys.readouterr().out
    assert all(label in shown for label in CONTROLS)
    assert shown.count("1 after both searches") == 2
    cfg = study_of(*SEARCH, PAIR)
    result = run_study(cfg)
    cells = {cell.label: cell for cell in result.record.cells}
    assert list(cells) == ["popularity", "cf", "text", *CONTROLS]
    assert all(cells[label].trials == [] for label in CONTROLS)
    store = Store(tmp_path / "runs")
    configs = {label: OmegaConf.create(store.find(cell.run_ids["0"]).config) for label, cell in cells.items()}
    for key in ("optimizer.lr", "optimizer.weight_decay", "loss._target_"):
        assert OmegaConf.select(configs[CONTROLS[0]], key) == OmegaConf.select(configs["text"], key)
        assert OmegaConf.select(configs[CONTROLS[1]], key) == OmegaConf.select(configs["cf"], key)
    assert configs[CONTROLS[1]].features.dropout == configs["text"].features.dropout
    (comparison,) = comparisons(cfg, result).values()
    assert {row.label for row in comparison.rows} == set(cells)
    assert not any("tuning.trials" in note for note in comparison.unequal.notes)
    assert "with 3 trials for each tuned cell" in methods(comparison, result.record)
    print_plan(study_of(*SEARCH, PAIR), console)
    assert "All runs are finished" in capsys.readouterr().out
    assert run_study(study_of(*SEARCH, PAIR)).n_made == 0


@pytest.mark.slow
def test_controls_are_made_in_each_draw(tmp_path, cache_dir):
    make = maker(tmp_path / "runs", cache_dir)
    cfg = make(*SEARCH, PAIR, "study.draws=[0,1,2]", "search.n_trials=1")
    cfg.study.common = [*cfg.study.common, "split=random"]
    labels = [cell.label for cell in run_study(cfg).record.cells]
    assert [label for label in labels if "settings" in label] == [
        f"{label} in draw {draw}" for draw in range(3) for label in CONTROLS
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["search=none", PAIR], r"study.same_settings exchanges the settings that searches find: choose a search"),
        ([*SEARCH, "study.same_settings=[cf,text]"], r"expected pairs of labels such as \[\[cf,bert\+cf\]\]"),
        ([*SEARCH, "study.same_settings=[[cf,cf]]"], "expected pairs of labels"),
        ([*SEARCH, "study.same_settings=[[cf,[text]]]"], "expected pairs of labels"),
        ([*SEARCH, "study.same_settings=[[cf,text],[text,cf]]"], "has the pair of text and cf twice|cf and text twice"),
        ([*SEARCH, "study.same_settings=[[cf,txt]]"], r"has 'txt'; expected labels of cells: popularity, cf, text"),
        ([*SEARCH, "study.same_settings=[[cf,txt]]", "study.only=[popularity,cf]"], "expected .* popularity, cf, text"),
        ([*SEARCH, "study.same_settings=[[popularity,cf]]"], "popularity and cf, whose searches have no key in common"),
    ],
)
def test_impossible_pairs_are_refused_before_the_first_trial(study_of, tmp_path, overrides, message):
    with pytest.raises(ConfigError, match=message):
        run_study(study_of(*overrides))
    assert not (tmp_path / "runs").exists()


def test_a_control_never_takes_the_label_of_a_cell(study_of):
    cfg = study_of(*SEARCH, PAIR)
    with open_dict(cfg):
        cfg.study.cells["cf (settings of text)"] = ["encoder=none", "ranker=cf", "optimizer.lr=0.01"]
    with pytest.raises(ConfigError, match=r"makes a cell 'cf \(settings of text\)', which the study has already"):
        run_study(cfg)


@pytest.mark.slow
def test_pairs_with_a_cell_that_is_left_out_are_left_out(study_of):
    cfg = study_of(*SEARCH, PAIR, "study.only=[popularity,cf]", "search.n_trials=1")
    assert [cell.label for cell in run_study(cfg).record.cells] == ["popularity", "cf"]
