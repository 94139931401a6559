"""The studies of the README, as they are typed, at a small size."""

from __future__ import annotations

import json
import re

import pytest
from commands import run
from full import only_full
from in_process import call

import recsys
from recsys.config.compatibility import check
from recsys.tracking.study_record import StudyRecord

TINY = ["data=synthetic", "data.n_users=100", "data.n_items=60", "data.n_interactions=1200", "data.cold_user_share=0"]
QUICK = ["trainer.max_epochs=1", "features.dim=8"]
STUDIES = {
    "sweep": (["study.seeds=[0]", "search.n_trials=2", "formats=[md]"], 2),
    "ablation": (["study.seeds=[0]", "formats=[md]"], 12),
    "headline": (["study.seeds=[0,1]", "search.n_trials=1", "study.grid.encoder=[tfidf]"], 14),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sweep", "ablation", pytest.param("headline", marks=only_full)])
def test_a_ready_study_ends_in_its_report(name, tmp_path, cache_dir):
    further, n_cells = STUDIES[name]
    settings = f"study.common={json.dumps([*TINY, *QUICK])}"
    done = run("study", f"study={name}", settings, *further, cwd=tmp_path, cache=cache_dir)
    assert done.returncode == 0, done.stdout + done.stderr
    study = StudyRecord.read(tmp_path / "runs", name)
    assert len(study.cells) == n_cells
    assert ("base" in {cell.kind for cell in study.cells}) is (name == "ablation")
    report = (tmp_path / "runs" / "reports" / name / "report.md").read_text()
    for cell in study.cells:
        assert cell.label in report
    assert all(len(cell.trials) <= int(study.search.get("n_trials", 0)) for cell in study.cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["headline", *(pytest.param(name, marks=only_full) for name in ("sweep", "ablation"))])
def test_a_ready_study_is_planned(name, tmp_path, cache_dir):
    further, _ = STUDIES[name]
    paths = [f"paths.runs_dir={tmp_path}", f"paths.cache_dir={cache_dir}"]
    said = call(
        "study", [f"study={name}", f"study.common={json.dumps([*TINY, *QUICK])}", *further, *paths, "dry_run=true"]
    )
    assert said.status == 0, said.error
    assert re.search(r"[1-9]\d* runs to do", said.out)


def test_a_study_without_its_texts_says_which_key_to_set(tmp_path):
    said = call("study", ["study=language_models", "dry_run=true", f"paths.runs_dir={tmp_path}"])
    assert said.status == 2
    assert "study.written has no value" in said.error
    assert "set study.written=…" in said.error


@pytest.mark.slow
def test_the_cells_of_language_models_go_together_and_each_has_a_plain_counterpart():
    given = ["study.written=items.parquet", "study.teacher=0123456789ab"]
    study = recsys.compose(["study=language_models", *given], "study").study
    cells = [*study.cells.values(), *study.baselines]
    for overrides in cells:
        check(recsys.compose(list(overrides)))
    assert len(cells) == 14
    assert all(
        any("ranker=prompt" in cell and f"ranker.score={score}" in cell and "finetune=lora" in cell for cell in cells)
        for score in ("letters", "yes_no")
    )
