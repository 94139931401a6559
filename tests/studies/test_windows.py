"""Windows of time of a rolling study."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from recsys.config.compose import compose
from recsys.schema import ConfigError
from recsys.studies.cell_definitions import expand
from recsys.studies.plan import plan
from recsys.studies.runner import check_baseline
from recsys.studies.windows import windows_of
from recsys.tracking.study_record import StudyCell, StudyRecord

TWO = {"n_windows": 2, "test_share": 0.2, "validation_share": 0.1}


def test_an_expanding_window_begins_with_the_data():
    assert windows_of(TWO) == {
        "window 1": ["split.validation_from=0.5", "split.test_from=0.6", "split.test_until=0.8"],
        "window 2": ["split.validation_from=0.7", "split.test_from=0.8"],
    }


def test_a_sliding_window_has_one_length_and_a_step_moves_the_tests():
    found = windows_of({**TWO, "step_share": 0.3, "train_share": 0.4})
    assert found == {
        "window 1": ["split.validation_from=0.4", "split.test_from=0.5", "split.test_until=0.7"],
        "window 2": ["split.validation_from=0.7", "split.test_from=0.8", "split.train_from=0.3"],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_windows": 1}, r"study\.windows\.n_windows is 1; expected a whole number of at least 2"),
        ({"test_share": 0}, r"study\.windows\.test_share is 0; expected a finite number above 0 and below 1"),
        ({"step_share": 0.1}, "an interaction would be tested twice"),
        ({"train_share": 0.6}, "leaves nothing to train on in the first window"),
        ({"n_windows": 5}, "leaves nothing to train on in the first window"),
        ({"steps": 0.1}, "step_share"),
    ],
)
def test_impossible_windows_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        windows_of({**TWO, **change})


def test_each_cell_is_in_each_window():
    study = {"common": ["a=1"], "baselines": [["b=2"], ["b=3"]], "seeds": [0], "windows": TWO}
    cells = expand(OmegaConf.create(study))
    assert [(cell.own, cell.window) for cell in cells] == [
        (["b=2"], "window 1"),
        (["b=3"], "window 1"),
        (["b=2"], "window 2"),
        (["b=3"], "window 2"),
    ]
    assert cells[-1].overrides == ["a=1", "split.validation_from=0.7", "split.test_from=0.8", "b=3"]


def test_a_cell_does_not_set_what_windows_set():
    study = {"baselines": [["b=2", "split.test_from=0.5"]], "seeds": [0], "windows": TWO}
    with pytest.raises(ConfigError, match=r"split\.test_from=0\.5 and study\.windows decide the same value"):
        expand(OmegaConf.create(study))


def test_the_planned_study_has_one_name_in_all_windows():
    cfg = compose(["study=rolling", 'study.baselines=[["ranker=popularity"]]'], "study")
    cells = plan(cfg)
    assert [cell.label for cell in cells] == [f"popularity in window {number}" for number in (1, 2, 3, 4)]
    assert {cell.name for cell in cells} == {"popularity"}
    assert cells[0].cfg.split.test_until == 0.7
    check_baseline(cfg, cells)


def test_the_record_names_a_cell_alike_in_all_windows():
    cells = [
        StudyCell(f"ease in {window}", "baseline", [], {"0": window[-1]}, window=window) for window in ("w 1", "w 2")
    ]
    study = StudyRecord("rolling", "", [0], ["ndcg@10"], None, "val/ndcg@10", cells=cells)
    assert study.labels == {"1": ["ease"], "2": ["ease"]}
    assert study.windows == {"1": "w 1", "2": "w 2"}
    assert study.of_runs(["2"]).cells == [StudyCell("ease", "baseline", [], {"0": "2"})]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["study=rolling", 'study.common=["split=random"]'],
            r"study\.windows needs split=temporal: put it into study\.common\.$",
        ),
        (
            ["study=rolling", "study.windows=null", "study.draws=[0,1,2]", 'study.common=["split=temporal"]'],
            r"study\.draws needs split=cold_items or .*, and ranker=popularity has split=temporal",
        ),
    ],
)
def test_a_split_without_the_keys_is_named_and_not_the_key_that_nobody_typed(changes, message):
    with pytest.raises(ConfigError, match=message):
        plan(compose(changes, "study"))
