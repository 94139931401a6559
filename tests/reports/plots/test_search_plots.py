"""Pictures of a search."""

from __future__ import annotations

from typing import Any

import pytest

from recsys.reports.plots import search
from recsys.reports.plots.base import Figure
from recsys.reports.plots.parallel import parallel_figure
from recsys.tracking.study_record import FINISHED, PRUNED, StudyCell, StudyRecord, Trial


def rows(figure: Figure, name: str = "rows") -> list[dict[str, Any]]:
    return figure.spec["datasets"][name]


def trial(number: int, value: float | None, state: str = FINISHED, **parameters: Any) -> Trial:
    return Trial(number, parameters, state, value)


def tuned(trials: list[Trial]) -> StudyRecord:
    cell = StudyCell("a", "grid", [], {}, {}, trials)
    return StudyRecord("s", "c", [0], ["ndcg@10"], None, "val/ndcg@10", {}, [cell])


def test_the_course_of_a_search_ignores_pruned_trials_in_its_best():
    study = tuned([trial(0, 0.1, lr=1.0), trial(1, 0.9, PRUNED, lr=2.0), trial(2, 0.2, lr=3.0), trial(3, None, lr=4.0)])
    found, notes = search.search_figures(study, ["a"])
    assert [(row["number"], row["best"]) for row in rows(found[0])] == [(0, 0.1), (1, 0.1), (2, 0.2)]
    assert "best nDCG@10 (val) 0.2000" in found[0].alternative
    assert [figure.name for figure in found] == ["search_history", "parallel_a"]
    needed = "importances need 8 finished trials besides that of the cell's own settings; found 2"
    assert notes == [f"No importances for a: {needed}: raise search.n_trials, or search.max_seconds if it is set."]


def test_parallel_axes_are_logarithmic_where_the_search_was():
    trials = [
        trial(n, float(n), lr=rate, loss=loss) for n, (rate, loss) in enumerate([(1e-4, "x"), (1e-3, "y"), (1e-2, "z")])
    ]
    study = tuned(trials)
    figure = parallel_figure(study, study.cells[0])
    found = {(row["trial"], row["axis"]): row["position"] for row in rows(figure)}
    assert [found[n, "lr"] for n in range(3)] == pytest.approx([0, 0.5, 1])
    assert [found[n, "loss"] for n in range(3)] == pytest.approx([0, 0.5, 1])
    assert [found[n, "nDCG@10 (val)"] for n in range(3)] == pytest.approx([0, 0.5, 1])
    ticks = [row["text"] for row in rows(figure, "ticks") if row["axis"] == "lr"]
    assert ticks == ["0.0001", "0.001", "0.01"]


def test_parameters_whose_keys_end_alike_have_their_whole_keys_over_their_axes():
    alike = {"ranker.dropout": 0.1, "profile.dropout": 0.2}
    trials = [trial(n, float(n), **{key: n * value for key, value in alike.items()}) for n in range(3)]
    study = tuned(trials)
    figure = parallel_figure(study, study.cells[0])
    assert {row["axis"] for row in rows(figure)} == {*alike, "nDCG@10 (val)"}
    assert figure.render("svg").startswith(b"<svg")
