"""Several studies begin at once on one new database of trials."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys, time
from pathlib import Path
import optuna, sqlalchemy, alembic.command
from recsys.studies.storage import opened
start, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
while not start.exists():
    pass
with opened("sqlite:///" + sys.argv[3], Path(name)) as storage:
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
    study.tell(study.ask(), 0.5)
print(len(study.trials))
"""


@pytest.mark.slow
def test_studies_that_begin_at_once_on_a_new_storage_both_go_on(tmp_path):
    start, database = tmp_path / "start", tmp_path / "shared.db"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", CODE, str(start), str(tmp_path / f"study{n}"), str(database)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    start.touch()
    for worker in workers:
        said, error = worker.communicate(timeout=120)
        assert worker.returncode == 0, error
        assert said == "1\n"
