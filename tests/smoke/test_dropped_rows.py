"""Faulty rows that were dropped are reported wherever results of the data are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from in_process import call

import recsys

WARNING = "of the rows are faulty and were dropped: rows with a bad time"


@pytest.fixture
def faulty(small_data, cache_dir, tmp_path):
    """Overrides for a copy of the small data of which every tenth time is no time."""
    (path,) = (override for override in small_data if override.startswith("data.path="))
    folder = tmp_path / "shop"
    shutil.copytree(Path(path.removeprefix("data.path=")), folder)
    header, *lines = (folder / "ratings.csv").read_text().splitlines()
    broken = [f"{line.rpartition(',')[0]},noon" if place % 10 == 0 else line for place, line in enumerate(lines)]
    (folder / "ratings.csv").write_text("\n".join([header, *broken]))
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / 'runs'}"]
    return [*(each for each in small_data if each != path), f"data.path={folder}", "data.bad_rows=drop", *paths]


def test_a_run_records_that_many_rows_were_dropped(faulty):
    record = recsys.run([*faulty, "ranker=popularity"]).record
    assert any(WARNING in warning and warning.startswith("10.0%") for warning in record.warnings)


def test_prepare_data_warns_that_many_rows_were_dropped(faulty):
    of_data = [override for override in faulty if override.startswith(("data", "paths"))]
    assert WARNING in " ".join(call("prepare_data", of_data).out.split())
