"""Names of runs and studies are names of folders, and never paths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recsys.schema import ConfigError, RecsysError
from recsys.studies.storage import located
from recsys.tracking.names import as_name, check_name, is_name
from recsys.tracking.record import Record
from recsys.tracking.store import RECORD, Store
from recsys.tracking.study_record import StudyRecord, studies, study_folder

PATHS = ["", " ", ".", "..", "../x", "a/b", "/etc", "a\\b", "a\nb", "a\x00b", "a\x7fb", "a\u2028b", "x" * 201]


@pytest.fixture
def store(tmp_path) -> Store:
    found = Store(tmp_path / "runs[1]")
    for run_id in ("a1", "b2"):
        found.save(Record(run_id, "cf", {}, {}, [], 0, {}))
    return found


def rename_inside(store: Store, run_id: str, name: str) -> None:
    path = store.root / run_id / RECORD
    path.write_text(json.dumps({**json.loads(path.read_text()), "run_id": name}))


@pytest.mark.parametrize("name", PATHS)
def test_a_path_is_no_name(name, tmp_path):
    assert not is_name(name)
    with pytest.raises(ConfigError, match=r"^key is "):
        check_name("key", name)
    with pytest.raises(ConfigError, match=r"study\.name"):
        study_folder(tmp_path, name)
    with pytest.raises(ConfigError, match="a run's id"):
        Store(tmp_path).folder(name)
    assert is_name(as_name(name))


@pytest.mark.parametrize("name", ["a", "scaling 2", "été", "x[1]*?", "...", "-a", "a=b, c#"])
def test_any_other_text_is_a_name(name):
    assert check_name("key", name) == name


def test_a_store_whose_path_is_a_pattern_is_listed(store):
    assert store.ids() == ["a1", "b2"]
    assert [record.run_id for record in store.records()] == ["a1", "b2"]


@pytest.mark.parametrize("name", ["../victim", "b2", "..", ""])
def test_a_record_of_another_run_is_left_out_and_deletes_nothing(store, name, caplog):
    rename_inside(store, "a1", name)
    assert [record.run_id for record in store.records()] == ["b2"]
    assert "give the folder the run's id as its name" in caplog.text
    with pytest.raises(RecsysError, match=r"a1/record\.json is the record of run"):
        store.find("a1")


def test_a_folder_that_is_a_link_is_not_deleted(store, tmp_path):
    outside = tmp_path / "outside"
    (store.root / "b2").rename(outside)
    (store.root / "b2").symlink_to(outside)
    with pytest.raises(RecsysError, match="is a link"):
        store.delete("b2")
    assert (outside / RECORD).is_file()


def test_a_study_record_of_another_name_is_refused(tmp_path):
    StudyRecord("one", "", [0], ["ndcg@10"], None, "val/ndcg@10").write(tmp_path)
    study_folder(tmp_path, "one").rename(study_folder(tmp_path, "two"))
    assert studies(tmp_path) == ["two"]
    with pytest.raises(RecsysError, match="is the record of study 'one'"):
        StudyRecord.read(tmp_path, "two")


@pytest.mark.parametrize("storage", ["", ".", "..", "../x.log", "a/../../x", "sqlite:///../x.db", "sqlite:///", "a\nb"])
def test_a_storage_file_does_not_leave_the_study(storage, tmp_path):
    with pytest.raises(ConfigError, match=r"search\.storage"):
        located(storage, tmp_path)


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (None, "sqlite:///{0}/tuning.db"),
        ("x.log", "{0}/x.log"),
        ("sqlite:///x.db?timeout=3", "sqlite:///{0}/x.db?timeout=3"),
        ("sqlite:////some/x.db", "sqlite:////some/x.db"),
        ("/some/x.log", "/some/x.log"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
    ],
)
def test_relative_storage_files_are_in_the_folder_of_the_study(storage, expected, tmp_path):
    assert located(storage, tmp_path) == expected.format(Path(tmp_path).resolve())
