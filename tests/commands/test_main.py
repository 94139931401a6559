"""`recsys` itself: its help, its version, and what is no subcommand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from in_process import call

import recsys
from recsys.commands import registry
from recsys.commands.main import main

LIBRARIES = ("hydra", "omegaconf", "yaml", "rich", "polars", "numpy", "torch")


def test_help_lists_every_command_once_with_its_summary(capsys):
    main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    for name in registry.COMMANDS:
        assert [line for line in lines if line.split()[:1] == [name]] == [f"  {name:<15}{registry.summary(name)}"]
    for group in registry.GROUPS:
        assert f"{group}:" in lines
    assert max(map(len, lines)) <= 100


def test_every_config_file_has_a_command_and_a_script():
    root = Path(__file__).parents[2]
    assert {path.stem for path in (root / "conf").glob("*.yaml")} == set(registry.COMMANDS)
    assert {path.stem for path in (root / "scripts").glob("*.py")} == set(registry.COMMANDS)


@pytest.mark.parametrize("words", [["-m", "a=1", "b=2"], ["a=1", "-m", "b=2"], ["a=1", "b=2", "-m"]])
def test_overrides_may_follow_m(monkeypatch, words):
    given = []
    monkeypatch.setattr(registry, "run", lambda name, arguments: given.append((name, arguments)))
    main(["train", *words])
    assert given == [("train", ["-m", "a=1", "b=2"])]


@pytest.mark.parametrize("arguments", [["--version"], ["train", "--version"]])
def test_version(capsys, arguments):
    main(arguments)
    assert capsys.readouterr().out == f"recsys {recsys.__version__}\n"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_neither_help_nor_version_imports_a_library(option):
    code = f"""
import sys
import tomllib
from recsys.commands.main import main
main([{option!r}])
print([name for name in {LIBRARIES} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("\n[]\n"), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "error: trian is not a command; did you mean one of train, pretrain, runs? See recsys --help.\n"),
        (["encoder=bert"], "error: encoder=bert: the command comes first, as in recsys train encoder=bert.\n"),
        (["-m", "train"], "error: -m: the command comes first, as in recsys train -m.\n"),
        ([], "Usage: recsys COMMAND"),
    ],
)
def test_what_is_no_command_ends_with_status_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert captured.out == ""


def test_a_command_may_be_written_with_hyphens(capsys):
    main(["prepare-data", "--help"])
    assert capsys.readouterr().out.startswith("Usage: recsys prepare_data ")


def test_the_package_runs_as_a_module(tmp_path):
    done = subprocess.run([sys.executable, "-m", "recsys", "--version"], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"recsys {recsys.__version__}\n"


def test_a_closed_pipe_is_no_error_with_a_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "recsys", "--help"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_distribution_installs_one_program():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"recsys": f"{main.__module__}:{main.__name__}"}
    assert project["version"] == recsys.__version__


def test_texts_that_name_an_extra_use_the_distribution_and_one_of_its_extras():
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    files = [root / "README.md", root / "pyproject.toml"]
    for folder, pattern in (("recsys", "*.py"), ("conf", "*.yaml"), ("docs", "*.md")):
        files += (root / folder).rglob(pattern)
    named = [found for file in files for found in re.findall(r"\b(recsys[\w-]*)\[([a-z,]+)\]", file.read_text())]
    assert len(named) > 10
    for distribution, extras in named:
        assert distribution == project["name"]
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", "caf? ?"), ("latin-1", "café ?")])
def test_output_replaces_what_its_encoding_lacks(encoding, shown, tmp_path, cache_dir):
    (tmp_path / "log.csv").write_text("user_id,item_id,time\n1,a,1000\n1,b,2000\n1,c,3000\n")
    keys = [f"data.path={tmp_path}", "data.interactions.file=log.csv", "data.interactions.timestamp=time"]
    named = ["data=table", "data.name='café ☕'", f"paths.cache_dir={cache_dir}"]
    said = call("prepare_data", [*named, *keys], encoding)
    assert said.status == 0
    assert shown in said.out
