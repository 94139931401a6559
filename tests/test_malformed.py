"""Malformed inputs end in exit status 2 and one line that names the key, or the file and its line.

Inputs are drawn at random, with a seed: values of all config groups and commands, forms of overrides, and data files in
the layouts of all sources. `make test-all` draws 300, `make test` fewer.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from full import FULL, only_full
from in_process import call
from malformed.draws import TINY, Malformed, draw, every_key

import recsys
from recsys.config.compatibility import check
from recsys.experiment.rehearsal import rehearse

N_DRAWS, N_AT_ONCE = (300, 20) if FULL else (24, 4)


@pytest.fixture(scope="module")
def made(tmp_path_factory, cache_dir) -> tuple[Path, str]:
    """A store with one run, and the run's id."""
    store = tmp_path_factory.mktemp("malformed") / "runs"
    paths = [f"paths.runs_dir={store}", f"paths.cache_dir={cache_dir}"]
    run = recsys.run([*TINY, "ranker=popularity", "logger=none", *paths])
    (store.parent / "file").touch()
    return store, run.record.run_id


BLOCKS = [pytest.param(first, marks=[pytest.mark.slow] * (first > 0)) for first in range(0, N_DRAWS, N_AT_ONCE)]


@pytest.mark.parametrize("first", BLOCKS)
def test_malformed_inputs_are_refused(first, made, cache_dir, monkeypatch):
    store, run_id = made
    monkeypatch.chdir(store.parent)
    monkeypatch.setenv("COLUMNS", "200")
    numbers = range(first, first + N_AT_ONCE)
    cases = {number: draw(random.Random(number), store.parent, run_id) for number in numbers}
    assert not (wrong := accepted_or_vague(cases, store, cache_dir)), "\n".join(wrong)


LONG = [pytest.param(command, marks=only_full) for command in ("study", "audit", "score", "semantic_ids", "write")]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["answer", "compare", *LONG])
def test_every_key_of_a_command_is_checked(command, made, cache_dir, monkeypatch):
    store, run_id = made
    monkeypatch.chdir(store.parent)
    monkeypatch.setenv("COLUMNS", "200")
    cases = dict(enumerate(every_key(command, run_id)))
    assert not (wrong := accepted_or_vague(cases, store, cache_dir)), "\n".join(wrong)


def accepted_or_vague(cases: dict[int, Malformed], store: Path, cache_dir: Path) -> list[str]:
    """The cases that do not end in exit status 2 and one line with a name, or that write into the store."""
    wrong = []
    for number, case in cases.items():
        paths = [f"paths.runs_dir={store}", f"paths.cache_dir={cache_dir}"]
        before = contents(store)
        try:
            said = call(case.command, [*paths, *case.arguments])
        except Exception as error:
            wrong.append(f"{number} {case.command} {case.arguments}: {type(error).__name__}: {error}")
            continue
        lines = said.error.splitlines()
        is_right = said.status == 2 and len(lines) == 1 and any(name in said.error for name in case.names)
        if not is_right or contents(store) != before:
            wrong.append(f"{number} {case.command} {case.arguments} {case.names}: {said.status} {lines or said.out}")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("first", BLOCKS)
def test_their_neighbours_are_accepted(first, made, cache_dir):
    store, run_id = made
    cases = [
        draw(random.Random(number), store.parent / "neighbours", run_id) for number in range(first, first + N_AT_ONCE)
    ]
    for command, arguments in dict.fromkeys((case.command, tuple(case.neighbour)) for case in cases):
        if command == "train":
            cfg = recsys.compose(arguments)
            if "???" not in str(cfg):
                check(cfg)
                rehearse(cfg)
        elif command == "prepare_data":
            said = call(command, [*arguments, f"paths.cache_dir={cache_dir}"])
            assert said.status == 0, said.error


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
