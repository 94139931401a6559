"""What replaces a file or a folder is whole, or nothing changes and nothing is left over."""

from __future__ import annotations

from contextlib import suppress

import pytest

from recsys.schema import StoreError
from recsys.support.whole_files import RUNS, replacing, write_atomically


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_unfinished_replaces_nothing(tmp_path, kind):
    path = tmp_path / "model"
    for text in ("old", "new"):
        with replacing(path) as unfinished:
            write(unfinished, kind, text)
    with suppress(ValueError), replacing(path) as unfinished:
        write(unfinished, kind, "half")
        raise ValueError("half")
    assert read(path, kind) == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def write(path, kind, text):
    if kind == "folder":
        path.mkdir()
        path = path / "weights"
    path.write_text(text)


def read(path, kind):
    return (path / "weights" if kind == "folder" else path).read_text()


def test_errors_name_the_key_of_another_folder(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    path = tmp_path / "file" / "a"
    with pytest.raises(StoreError, match=rf"cannot write {path}: .* by the key paths\.runs_dir"):
        write_atomically(path, b"1", RUNS)
    with (
        pytest.raises(StoreError, match=rf"cannot write {path}: .* by the key paths\.cache_dir"),
        replacing(path),
    ):
        pass
