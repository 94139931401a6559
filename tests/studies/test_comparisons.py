"""A study's runs are compared by protocol, and by window of time."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf
from reports.made_runs import PROTOCOL, failed_run, made_run

from recsys.reports.document import sections
from recsys.schema import ComparisonError
from recsys.studies.comparisons import comparisons, of_comparison, over_splits
from recsys.studies.runner import Result
from recsys.tracking.store import Store
from recsys.tracking.study_record import LISTED, StudyCell, StudyRecord

VALUES = [0.1, 0.5, 0.2, 0.4]


def result(tmp_path, knowledge=("refit", "train"), windows=("window 1", "window 2")):
    """One cell of each `test_knowledge` in each window, and the study's configuration."""
    store, cells, runs = Store(tmp_path), [], []
    for window in windows:
        for own in knowledge:
            protocol = {**PROTOCOL, "split_fingerprint": str(window), "test_knowledge": own}
            run = made_run(store, "none", own, 0, VALUES, protocol=protocol)
            runs.append(run)
            label = own if window is None else f"{own} in {window}"
            cells.append(StudyCell(label, LISTED, [], run_ids={"0": run.run_id}, window=window))
    study = StudyRecord("s", "", [0], ["ndcg@10"], "refit", "val/ndcg@10", cells=cells)
    cfg = OmegaConf.create({"paths": {"runs_dir": str(tmp_path)}, "study": {"metrics": ["ndcg@10"]}})
    return cfg, Result(study, runs)


def rows_of(compared):
    return {name: [row.label for row in own.rows] for name, own in compared.items()}


def test_no_protocol_of_a_window_is_lost(tmp_path):
    compared = comparisons(*result(tmp_path))
    assert rows_of(compared) == {
        "window_1-refit": ["refit"],
        "window_1-train": ["train"],
        "window_2-refit": ["refit"],
        "window_2-train": ["train"],
    }
    assert [own.baseline for own in compared.values()] == ["refit", None, "refit", None]


def test_windows_of_several_protocols_are_not_pooled(tmp_path):
    cfg, made = result(tmp_path)
    with pytest.raises(ComparisonError, match="window 1 has cells of several protocols, such as window_1-train"):
        over_splits(cfg, made, comparisons(cfg, made))


def test_a_window_or_a_protocol_alone_has_a_short_name(tmp_path):
    assert list(comparisons(*result(tmp_path / "a", knowledge=["refit"]))) == ["window_1", "window_2"]
    assert list(comparisons(*result(tmp_path / "b", windows=[None]))) == ["refit", "train"]
    assert list(comparisons(*result(tmp_path / "c", knowledge=["refit"], windows=[None]))) == [""]


def failed_of(store, window=None):
    """A study whose baseline lacks a seed, and of which one cell has no run; and what its report has on failures."""
    runs = [made_run(store, "none", ranker, seed, VALUES) for ranker in ("floor", "dot") for seed in (0, 1)]
    lost = failed_run(store, "none", "floor", 1)
    runs[1] = lost
    names = {"floor": {"0": runs[0].run_id}, "dot": {str(run.seed): run.run_id for run in runs[2:]}, "untuned": {}}
    suffix = f" in {window}" if window else ""
    cells = [StudyCell(f"{name}{suffix}", LISTED, [], run_ids=own, window=window) for name, own in names.items()]
    study = StudyRecord("s", "", [0, 1], ["ndcg@10"], "floor", "val/ndcg@10", cells=cells)
    cfg = OmegaConf.create({"paths": {"runs_dir": str(store.root)}, "study": {"metrics": ["ndcg@10"]}})
    (compared,) = comparisons(cfg, Result(study, runs)).values()
    (section,) = (own for own in sections(compared, study=of_comparison(study, compared)) if own.name == "failed")
    return compared, section.sentences


@pytest.mark.parametrize("window", [None, "window 1"])
def test_cells_and_a_baseline_that_failed_are_named_and_the_others_reported(window, tmp_path):
    compared, sentences = failed_of(Store(tmp_path), window)
    assert [row.label for row in compared.rows] == ["dot"]
    assert compared.baseline is None
    assert sentences[1:] == [
        "Not in the tables, since some of their seeds failed: floor.",
        "Not in the tables, since their search or all of their runs failed: untuned.",
        "So there are no differences from the baseline floor.",
    ]
