"""The trials that the repository shares are those that their studies would reuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna import get_all_study_names, load_study
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from recsys.config.compose import compose
from recsys.studies.plan import plan, space_of
from recsys.studies.search_study import search_key

RESULTS = Path(__file__).parents[2] / "docs" / "results"
COLD = (
    "popularity,itemknn,bert+itemknn,ease,bert+ease,cf,bert+cf,lightgcn,bert+lightgcn,bert+transition_graph,"
    "cf ids from bert,alpharec"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("headline_trials.journal", ["study=headline"]),
        (
            "text_uses_cold_items/trials.journal",
            ["study=text_uses", "study.split=cold_items", f"study.only=[{COLD}]"],
        ),
    ],
)
def test_each_shared_search_is_whole_and_is_one_of_the_study(name, overrides, tmp_path):
    (tmp_path / "copy.journal").write_bytes((RESULTS / name).read_bytes())  # opening a journal may write to it
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "copy.journal")))
    cfg = compose([*overrides, f"paths.cache_dir={tmp_path}"], "study")
    keys = {}
    for planned in plan(cfg):
        space = space_of(cfg, planned)
        if space.keys:
            keys[planned.label] = f"{cfg.study.name}/{search_key(cfg, planned, space)}"
    shared = set(get_all_study_names(storage))
    assert shared == set(keys.values()), {label for label, key in keys.items() if key not in shared}
    for study_name in shared:
        trials = load_study(study_name=study_name, storage=storage).trials
        assert sum(trial.state.is_finished() for trial in trials) == cfg.search.n_trials
