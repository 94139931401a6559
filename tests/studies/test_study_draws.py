"""A study on several random draws of a split."""

from __future__ import annotations

import json

import pytest

from recsys.commands.study import FAILED, FINISHED
from recsys.commands.study import run as study_command
from recsys.config.compose import compose
from recsys.schema import ComparisonError, ConfigError
from recsys.studies.plan import plan

CELLS = ["study.name=of_draws", 'study.common=["split=cold_items"]', 'study.baselines=[["ranker=popularity"]]']


def planned(*overrides: str):
    return plan(compose([*CELLS, *overrides], "study"))


def test_each_cell_is_on_each_draw():
    cells = planned("study.draws=[0,1,7]")
    assert [cell.label for cell in cells] == ["popularity in draw 0", "popularity in draw 1", "popularity in draw 7"]
    assert [cell.cfg.split.seed for cell in cells] == [0, 1, 7]
    assert {cell.name for cell in cells} == {"popularity"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["study.draws=[0,1]"], r"study\.draws is \[0, 1\]; expected at least 3 different values of split\.seed"),
        (["study.draws=[0,1,1]"], "expected at least 3 different values"),
        (["study.draws=3"], r"study\.draws is 3; expected at least 3 different values"),
        (["study.draws=[0,1,-1]"], r"study\.draws is -1; expected a whole number from 0 to 4294967295"),
        (["study.draws=[0,1,2]", "study.windows={n_windows: 2}"], r"study\.windows and study\.draws both decide"),
        (
            ["study.draws=[0,1,2]", 'study.common=["split=cold_items","split.seed=1"]'],
            r"split\.seed=1 and study\.draws decide the same value",
        ),
        (
            ["study.draws=[0,1,2]", 'study.common=["split=user_temporal"]'],
            r"study\.draws needs split=cold_items or cold_users or random, and .* has split=user_temporal",
        ),
    ],
)
def test_impossible_draws_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        planned(*overrides)


@pytest.mark.slow
def test_a_study_reports_each_draw_and_all(tmp_path, monkeypatch, capsys):
    data = ["data=synthetic", "data.n_users=60", "data.n_items=60", "data.n_interactions=800", "split=cold_items"]
    overrides = [
        "study.name=of_draws",
        f"study.common={json.dumps(data)}",
        'study.baselines=[["ranker=popularity"],["ranker=itemknn","encoder=tfidf","encoder.n_components=8"]]',
        "study.draws=[0,1,2]",
        "study.seeds=[0]",
        "study.baseline=popularity",
        "study.metrics=[ndcg@10]",
        "formats=[md,csv]",
        "user_examples.n=0",
        f"output={tmp_path / 'report'}",
        f"paths.runs_dir={tmp_path / 'runs'}",
        f"paths.cache_dir={tmp_path / 'cache'}",
    ]
    assert study_command(compose(overrides, "study")) == FINISHED
    text = (tmp_path / "report" / "over_draws.md").read_text()
    assert "tfidf+itemknn" in text
    assert "3 of 3" in text  # popularity knows nothing of a cold item
    assert (tmp_path / "report" / "draw_2" / "report.md").is_file()
    assert "tests one draw of" not in text

    def impossible(*_):
        raise ComparisonError("the draws share no cell")

    monkeypatch.setattr("recsys.commands.study.over_splits", impossible)
    assert study_command(compose(overrides, "study")) == FAILED
    said = capsys.readouterr().out
    assert "no comparison over all splits: the draws share no cell" in said
    assert "0 runs made and 6 found" in said
    assert not list((tmp_path / "report").glob("over_draws.*"))  # that of the first time
