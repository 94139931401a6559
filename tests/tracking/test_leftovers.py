"""Checkpoints that a run leaves behind if it is killed after its record was written."""

from recsys.tracking.files import locked
from recsys.tracking.leftovers import remove_checkpoints
from recsys.tracking.store import LOCK


def folder_with_checkpoints(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    return tmp_path


def test_checkpoints_of_a_finished_run_are_removed(tmp_path):
    remove_checkpoints(folder_with_checkpoints(tmp_path))
    assert not (tmp_path / "checkpoints").exists()


def test_checkpoints_of_a_run_that_is_being_made_again_stay(tmp_path):
    folder = folder_with_checkpoints(tmp_path)
    with locked(folder / LOCK):
        remove_checkpoints(folder)
    assert (folder / "checkpoints" / "last.ckpt").exists()


def test_a_folder_without_checkpoints_is_not_touched(tmp_path):
    remove_checkpoints(tmp_path)
    assert list(tmp_path.iterdir()) == []
