"""Studies and comparisons in Python: frames, charts, and short cards."""

from __future__ import annotations

import numpy as np
import pytest

import recsys
from recsys.schema import ComparisonError, ConfigError

RNG = np.random.default_rng(0)
SALES = {"user_id": RNG.integers(0, 40, 600), "item_id": RNG.integers(0, 30, 600)}


@pytest.fixture(scope="module")
def data(cache_dir):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_CACHE", str(cache_dir))
        return recsys.dataset(SALES, name="shop")


@pytest.fixture(scope="module")
def paths(cache_dir, tmp_path_factory):
    return [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path_factory.mktemp('store')}"]


@pytest.fixture(scope="module")
def study(data, paths):
    return recsys.study(
        paths,
        data=data,
        name="toy",
        common=["split=random"],
        baselines=[["ranker=popularity"]],
        cells={"near <items>": ["ranker=itemknn"]},
        seeds=[0, 1],
        baseline="popularity",
        metrics=["ndcg@10", "recall@10"],
    )


def test_a_study_has_its_runs_as_a_frame(study):
    assert not study.failures
    assert study.runs["cell"].to_list() == ["popularity", "popularity", "near <items>", "near <items>"]
    assert study.runs["seed"].to_list() == [0, 1, 0, 1]
    assert study.trials.is_empty()


def test_a_study_is_found_again(study, data, paths):
    again = recsys.study(
        paths,
        data=data,
        **{key: study.cfg.study[key] for key in ("name", "seeds", "baseline")},
        common=["split=random"],
        baselines=[["ranker=popularity"]],
        metrics=["ndcg@10"],
    )
    assert (again.result.n_made, again.result.n_found) == (0, 2)


def test_the_same_data_under_another_name_are_one_data_set(study, paths, cache_dir, monkeypatch):
    """The runs are found, and are compared with new runs under the other name."""
    monkeypatch.setenv("RECSYS_CACHE", str(cache_dir))
    other = recsys.dataset(SALES, name="renamed")
    compared = recsys.study(
        paths,
        data=other,
        name="renamed",
        common=["split=random"],
        baselines=[["ranker=popularity"], ["ranker=random_scores"]],
        seeds=[0, 1],
        metrics=["ndcg@10"],
    )
    assert (compared.result.n_made, compared.result.n_found) == (2, 2)
    assert {record.protocol["data"] for record in compared.result.records} == {"shop", "renamed"}
    assert len(compared.comparison.rows) == 2


def test_its_command_repeats_it(study):
    assert study.record.command.startswith("recsys study study=default")
    assert "data=table" in study.record.command


def test_a_comparison_has_frames_and_charts(study):
    comparison = study.comparison
    assert comparison.table["label"].to_list() == [row.label for row in comparison.rows]
    row = comparison.rows[0]
    assert comparison.table["ndcg@10"][0] == pytest.approx(row.scores["ndcg@10"].mean)
    assert comparison.pairs_table["metric"].to_list() == ["ndcg@10", "recall@10"]
    assert comparison.segments_table.height > 2
    assert "leaderboard" in comparison.figures
    assert comparison.figures["leaderboard"].to_dict()["datasets"]


def test_they_are_shown_shortly_and_escaped(study):
    assert len(repr(study).splitlines()) <= 5 + len(study.comparison.warnings)
    html = study._repr_html_()
    assert "near &lt;items&gt;" in html
    assert "<items>" not in html
    assert html.count("<img") == 1
    assert "<script" not in html


def test_compare_takes_runs_ids_and_folders(study, paths):
    folder = study.cfg.paths.runs_dir
    ids = study.runs["run_id"].to_list()
    runs = [recsys.load(ids[0], folder), *(f"{folder}/{one}" for one in ids[1:])]
    comparison = recsys.compare(runs, baseline=runs[0], metrics=["ndcg@10"], level=0.9)
    assert comparison.baseline == "popularity"
    assert comparison.level == 0.9
    assert len(comparison.rows) == 2


@pytest.mark.slow
def test_windows_of_time_are_reported_together(paths, cache_dir, monkeypatch, tmp_path):
    monkeypatch.setenv("RECSYS_CACHE", str(cache_dir))
    times = {"timestamp": RNG.integers(1_600_000_000, 1_700_000_000, 600)}
    study = recsys.study(
        paths,
        data=recsys.dataset({**SALES, **times}, timestamp="timestamp", name="timed"),
        name="rolling",
        common=["split=temporal"],
        windows={"n_windows": 2, "test_share": 0.2, "validation_share": 0.1},
        baselines=[["ranker=popularity"], ["ranker=itemknn"]],
        seeds=[0],
        baseline="popularity",
        metrics=["ndcg@10"],
    )
    with pytest.raises(ComparisonError, match=r"the protocols window_1, window_2; .* \.over_splits for means over all"):
        study.comparison  # noqa: B018
    assert set(study.over_splits_table["cell"]) == {"popularity", "itemknn"}
    page = study.report(tmp_path / "report")
    assert page.name == "over_time.html"
    assert {path.parent.name for path in tmp_path.rglob("report.html")} == {"window_1", "window_2"}


def test_a_study_without_windows_has_nothing_over_them(study):
    with pytest.raises(ComparisonError, match="has no windows of time and no draws"):
        study.over_splits  # noqa: B018


@pytest.mark.slow
def test_a_report_is_written_with_single_users(study, tmp_path):
    page = study.report(tmp_path / "report").read_text()
    assert "Study toy" in page
    assert 'id="users"' in page


@pytest.mark.slow
def test_single_users_of_a_report_are_chosen_by_keys(study, tmp_path):
    assert 'id="users"' not in study.comparison.report(tmp_path / "report", users={"n": 0}).read_text()
    with pytest.raises(ConfigError, match="n_user"):
        study.comparison.report(tmp_path / "report", users={"n_user": 0})


def test_nothing_to_compare_is_refused():
    with pytest.raises(ConfigError, match="needs at least one run"):
        recsys.compare([])


def test_an_unknown_key_of_a_study_is_refused(data):
    with pytest.raises(ConfigError, match="cell"):
        recsys.study(data=data, cels={"a": ["ranker=popularity"]})
