"""The checkout that recsys runs from, and its edited files."""

from __future__ import annotations

import subprocess

import pytest

from recsys.support import checkout
from recsys.support.custom_code import hashes
from recsys.support.custom_code.hashes import code_of_names
from recsys.tracking import environment

CACHED = (checkout.is_checkout, checkout.edited_files, environment.git_state)


def forget() -> None:
    for function in CACHED:
        function.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "support").mkdir()
    (tmp_path / "support" / "checkout.py").write_text("")
    monkeypatch.setattr(checkout, "__file__", str(tmp_path / "support" / "checkout.py"))
    monkeypatch.setattr(checkout, "PACKAGE", tmp_path)
    forget()
    yield tmp_path
    forget()


def git(folder, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "core.hooksPath="]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)
    forget()


def test_the_state_is_of_the_code_and_not_of_a_checkout_around_it(folder):
    assert environment.git_state() is None
    git(folder, "init")
    (folder / "other.py").write_text("")
    git(folder, "add", "other.py")
    git(folder, "commit", "-m", "first")
    assert environment.git_state() is None  # the code is not part of the checkout
    assert checkout.edited_files() == frozenset()
    git(folder, "add", ".")
    git(folder, "commit", "-m", "second")
    clean = environment.git_state()
    assert clean is not None
    assert not clean["dirty"]
    (folder / "other.py").write_text("changed = True")
    forget()
    assert environment.git_state() == {"commit": clean["commit"], "dirty": True}


def test_edited_files_are_the_changed_the_staged_and_the_new_ones(folder):
    git(folder, "init")
    for name in ("same", "changed", "staged", "deleted"):
        (folder / f"{name}.py").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    (folder / "changed.py").write_text("x = 1")
    (folder / "staged.py").write_text("x = 1")
    git(folder, "add", "staged.py")
    (folder / "deleted.py").unlink()
    (folder / "parts").mkdir()
    (folder / "parts" / "new.py").write_text("")
    (folder / "notes.txt").write_text("")
    forget()
    found = {path.relative_to(folder).as_posix() for path in checkout.edited_files()}
    assert found == {"changed.py", "staged.py", "parts/new.py"}


def test_an_edited_file_is_in_the_code_of_the_components_that_import_it(monkeypatch):
    names = {name: [f"recsys.rankers.{name.lower()}.{name}Ranker"] for name in ("EASE", "ItemKNN", "Popularity")}
    monkeypatch.setattr(hashes, "edited_files", frozenset)
    assert not any(code_of_names(own) for own in names.values())
    text, ease = (checkout.PACKAGE / "rankers" / f"{name}.py" for name in ("item_text", "ease"))
    monkeypatch.setattr(hashes, "edited_files", lambda: frozenset({text}))
    found = {name: set(code_of_names(own)) for name, own in names.items()}
    assert found == {"EASE": {"recsys.rankers.item_text"}, "ItemKNN": {"recsys.rankers.item_text"}, "Popularity": set()}
    monkeypatch.setattr(hashes, "edited_files", lambda: frozenset({text, ease}))
    assert set(code_of_names(names["EASE"])) == {"recsys.rankers.item_text", "recsys.rankers.ease"}


def test_an_edited_report_is_in_the_code_of_no_component(monkeypatch):
    """`from recsys import schema` names the package, which has the whole API, reports included."""
    page = checkout.PACKAGE / "reports" / "document.py"
    monkeypatch.setattr(hashes, "edited_files", lambda: frozenset({page}))
    names = ["recsys.data.sources.table.TableSource", "recsys.training.losses.bpr", "recsys.rankers.ease.EASERanker"]
    assert code_of_names(names) == {}
