"""All checks of a run, in order."""

from __future__ import annotations

from omegaconf import DictConfig

from recsys.experiment.finished import Run
from recsys.experiment.inputs import written_texts
from recsys.serving.audit.duplicates import duplicated_items, near_duplicates
from recsys.serving.audit.leaks import first_test_time, split_leaks
from recsys.serving.audit.remembered import memory
from recsys.serving.audit.shortcuts import shortcuts
from recsys.serving.audit.teachers import teacher_origins
from recsys.serving.audit.written import written_origins
from recsys.tracking.audit_findings import Finding
from recsys.tracking.origins import origins
from recsys.tracking.ranking_biases import ranking_biases
from recsys.tracking.store import Store


def audit(run: Run, cfg: DictConfig) -> list[Finding]:
    """The findings about a run.

    Args:
        run: A finished run.
        cfg: Configuration of `recsys audit`.

    Raises:
        ConfigError: If the run has no test, its data has changed, or the language model does not exist.
    """
    run.check_has_test()
    split = run.split
    leaks = [
        *split_leaks(split),
        *duplicated_items(split),
        near_duplicates(split, cfg.near_duplicate, cfg.n_cold_items, cfg.seed),
        *origins(run.record, first_test_time(split)),
        *written_origins(written_texts(run.cfg), split),
        *teacher_origins(run, first_test_time(split)),
    ]
    beside = shortcuts(run.record, Store(run.folder.parent).records())
    return [*leaks, *memory(run, cfg), *ranking_biases(run.record), *beside]
