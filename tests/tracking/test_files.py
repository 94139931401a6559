"""Files of the store follow no links, and have the mode that the umask gives."""

from __future__ import annotations

import os
import stat

import pytest

from recsys.language_models.cached_files import making
from recsys.schema import RecsysError
from recsys.support.whole_files import RUNS, write_atomically
from recsys.tracking.files import is_locked, locked


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_on_modes(tmp_path, umask, expected):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a", b"1", RUNS)
        with locked(tmp_path / "lock"):
            pass
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "lock")] == [expected] * 2


def test_the_umask_is_never_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", None)
    write_atomically(tmp_path / "a", b"1", RUNS)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_lock_that_is_a_link_is_refused(tmp_path, exists):
    target, link = tmp_path / "target", tmp_path / "lock"
    link.symlink_to(target)
    if exists:
        target.write_text("kept")
    with pytest.raises(RecsysError, match="lock"), locked(link):
        pass
    assert not is_locked(link)
    assert target.read_text() == "kept" if exists else not target.exists()


def test_a_lock_of_the_cache_that_is_a_link_is_refused(tmp_path):
    (tmp_path / ".model.lock").symlink_to(tmp_path / "target")
    (tmp_path / "target").write_text("kept")
    with pytest.raises(RecsysError, match="cannot write"), making(tmp_path / "model"):
        pass
    assert (tmp_path / "target").read_text() == "kept"


def test_a_link_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "target").write_text("kept")
    (tmp_path / "a").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "a", b"new", RUNS)
    assert (tmp_path / "target").read_text() == "kept"
    assert (tmp_path / "a").read_bytes() == b"new"
