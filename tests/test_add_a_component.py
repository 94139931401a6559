"""docs/how-to/add_a_component.md works as printed: its files, its tests and its runs, outside the checkout."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from commands import Command

from recsys.tracking.store import Store

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "add_a_component.md").read_text()
FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', flags=re.MULTILINE | re.DOTALL)
BLOCKS = [found.groups() for found in FENCE.finditer(PAGE)]
FILES = {title: content for _, title, content in BLOCKS if title}
LINES = [line for language, _, content in BLOCKS if language == "bash" for line in content.splitlines()]
RUNS = [shlex.split(line)[2:] for line in LINES if line.startswith("recsys train ")]
DATA = ["data=synthetic", "data.n_users=40", "data.n_items=30", "data.n_interactions=250"]
TINY = ["trainer.max_epochs=1", "trainer.enable_progress_bar=false", "logger=none", "test_knowledge=train"]
# Scripts that are called with one command line as each argument, all in one process to import libraries once.
DRIVERS = {
    "check": "import sys, pytest\nsys.exit(pytest.main([*sys.argv[1:], '-q', '-p', 'no:cacheprovider']))",
    "train": """
import shlex, sys
from in_process import call
for command in sys.argv[1:]:
    said = call("train", shlex.split(command))
    print(said.out)
    if said.status:
        sys.exit(f"{command}: {said.error}")
""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The files of the page in a folder."""
    folder = tmp_path_factory.mktemp("my_project")
    drivers = {f"{name}.py": content for name, content in DRIVERS.items()}
    for name, content in (FILES | drivers).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.fixture
def execute(project, cache_dir):
    """Starts one of the drivers, as if its folder were in PYTHONPATH."""
    environment = {"RECSYS_CONF": str(project / "conf"), "RECSYS_CACHE": str(cache_dir)}

    def started(name: str, *arguments: str) -> Command:
        return Command(project / f"{name}.py", *arguments, cwd=project, environment=environment)

    return started


def test_each_component_has_code_a_test_that_is_called_and_a_run():
    named = {Path(name).stem for name in FILES if name.startswith("my_parts/")}
    assert len(named) == len(RUNS) == 8
    for name in named:
        assert f"tests/test_{name}.py" in FILES
        assert f"python -m pytest tests/test_{name}.py" in LINES
        assert any(name in argument for arguments in RUNS for argument in arguments)


def test_every_other_line_of_the_commands_sets_up_the_project():
    others = [line for line in LINES if not line.startswith(("recsys train ", "python -m pytest tests/test_"))]
    assert others == ["export PYTHONPATH=$PWD", "export RECSYS_CONF=$PWD/conf"]


@pytest.mark.slow
def test_the_tests_of_the_page_pass(execute):
    finished = execute("check", "tests").finish()
    assert finished.returncode == 0, finished.stdout
    assert re.search(r"\d\d passed", finished.stdout)


@pytest.mark.slow
def test_the_runs_of_the_page_are_made(execute, project):
    own_data = [any(argument.startswith("data=") for argument in arguments) for arguments in RUNS]
    commands = [[*run, *([] if own else DATA), *TINY] for run, own in zip(RUNS, own_data, strict=True)]
    finished = execute("train", *map(shlex.join, commands)).finish()
    assert finished.returncode == 0, finished.stdout + finished.stderr
    records = Store(project / "runs").records()
    assert len(records) == len(RUNS)
    assert all(record.is_finished for record in records)
    assert any("test/f1@10" in record.metrics for record in records)
