"""`recsys new` makes a project whose commands run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from full import only_full
from in_process import call

import recsys


@pytest.fixture
def project(tmp_path, monkeypatch, cache_dir) -> Path:
    """A new project, in which the process stands as after `. ./env.sh`."""
    monkeypatch.chdir(tmp_path)
    said = call("new", ["my_shop"])
    assert said.status == 0, said.error
    folder = tmp_path / "my_shop"
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RECSYS_CONF", str(folder / "conf"))
    monkeypatch.setenv("RECSYS_TRUST", "letters")
    monkeypatch.setenv("RECSYS_CACHE", str(cache_dir))
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("letters", None)


@pytest.mark.slow
def test_its_data_its_encoder_and_its_study_run(project):
    checked = call("prepare_data", ["data=my_shop"])
    assert checked.status == 0, checked.error
    assert "2,500" in checked.out
    planned = call("study", ["study=first", "dry_run=true"])
    assert planned.status == 0, planned.error
    assert "15 runs to do" in planned.out
    made = call("train", ["data=my_shop", "encoder=letters", "ranker=dot", "trainer.max_epochs=1", "logger=none"])
    assert made.status == 0, made.error
    (run,) = (path for path in (project / "runs").iterdir() if (path / "record.json").is_file())
    assert "letters" in recsys.load(run).record.code


def test_no_place_of_the_template_is_left_open(project):
    for path in project.rglob("*"):
        if path.is_file() and "cache" not in path.parts:
            assert not re.search(r"\$name\b|\$\{name\}", path.read_text(encoding="utf-8")), path
    assert json.loads((project / "notebook.ipynb").read_text())["nbformat"] == 4


@pytest.mark.parametrize("words", [["my shop"], ["path=a-b"], ["7up"], ["path=''"], ["."], ["path=null"], ["path=[a]"]])
def test_a_name_that_cannot_be_chosen_is_refused(words, tmp_path, monkeypatch):
    (tmp_path / "x-y").mkdir()
    monkeypatch.chdir(tmp_path / "x-y")
    said = call("new", words)
    assert said.status == 2
    assert "expected a folder whose name has only letters, digits and _" in said.error
    assert not list((tmp_path / "x-y").iterdir())


def test_a_folder_with_files_stays_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    said = call("new", ["mine"])
    assert said.status == 2
    assert "which exists already" in said.error
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@only_full
def test_the_commands_of_its_readme_and_its_notebook_run(project):
    text = (project / "README.md").read_text()
    lines = re.search(r"```bash\n(.*?)```", text, re.DOTALL)[1].replace("study=first", "study=first study.seeds=[0]")
    script = f'recsys() {{ "{sys.executable}" -m recsys "$@"; }}\nset -e\n{lines}\n'
    subprocess.run(["bash", "-c", script], check=True, timeout=600)
    assert (project / "runs" / "reports" / "first" / "report.html").is_file()
    subprocess.run([sys.executable, "-m", "pytest", "-q"], check=True, timeout=600)
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(project / "notebook.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(project)}}).execute()
