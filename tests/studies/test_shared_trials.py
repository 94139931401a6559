"""The trials of the headline study that the repository shares are those that the study would reuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna import get_all_study_names, load_study
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from recsys.config.compose import compose
from recsys.studies.plan import plan, space_of
from recsys.studies.search_study import search_key

FILE = Path(__file__).parents[2] / "docs" / "results" / "headline_trials.journal"


@pytest.mark.slow
def test_each_shared_search_is_whole_and_is_one_of_the_study(tmp_path):
    (tmp_path / FILE.name).write_bytes(FILE.read_bytes())  # opening a journal may write to it
    storage = JournalStorage(JournalFileBackend(str(tmp_path / FILE.name)))
    cfg = compose(["study=headline", f"paths.cache_dir={tmp_path}"], "study")
    keys = {}
    for planned in plan(cfg):
        space = space_of(cfg, planned)
        if space.keys:
            keys[planned.label] = f"headline/{search_key(cfg, planned, space)}"
    shared = set(get_all_study_names(storage))
    assert shared == set(keys.values()), {label for label, key in keys.items() if key not in shared}
    for name in shared:
        finished = [trial for trial in load_study(study_name=name, storage=storage).trials if trial.state.is_finished()]
        assert len(finished) == cfg.search.n_trials
