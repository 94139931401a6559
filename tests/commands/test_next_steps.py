"""Commands that a command proposes can be pasted."""

from __future__ import annotations

import io
import shlex
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from reports.made_runs import made_run, small_study
from rich.console import Console

import recsys
from recsys.commands import compare, runs, study
from recsys.commands.next_steps import of_data, own_overrides, print_header, print_next_steps, run_line
from recsys.config import folders
from recsys.reports.comparison import compare as compare_runs
from recsys.reports.spreadsheets import to_csv
from recsys.tracking.store import Store


def proposed(overrides, *commands):
    console = Console(file=io.StringIO(), width=30)
    print_next_steps(console, OmegaConf.create({"overrides": overrides}), *commands)
    return [shlex.split(line.removeprefix("Next:")) for line in console.file.getvalue().splitlines()]


def test_the_store_of_a_command_is_that_of_the_next():
    lines = proposed(["seed=1", "paths.runs_dir='/tmp/my runs'"], ["compare"], ["runs", "sort=-test/ndcg@10"])
    assert lines == [
        ["recsys", "compare", "paths.runs_dir='/tmp/my runs'"],
        ["recsys", "runs", "sort=-test/ndcg@10", "paths.runs_dir='/tmp/my runs'"],
    ]
    assert recsys.compose(lines[0][2:], "compare").runs_dir == "/tmp/my runs"


def test_runs_dir_of_compare_becomes_the_key_that_all_commands_have():
    assert proposed(["runs_dir=/tmp/x"], ["train"]) == [["recsys", "train", "paths.runs_dir=/tmp/x"]]


def test_the_folder_of_configs_of_a_command_is_that_of_the_next(monkeypatch):
    monkeypatch.setattr(folders, "_typed", ["my conf"])
    assert proposed(["seed=1"], ["study", "study=mine"]) == [
        ["recsys", "study", "--config-dir", "my conf", "study=mine"]
    ]


def test_secrets_are_not_repeated():
    (line,) = proposed([], ["study", "search.storage=postgresql://me:secret@host/db"])
    assert "secret" not in " ".join(line)


@pytest.mark.parametrize(
    ("metric", "is_lower_better", "expected"),
    [("ndcg@10", False, "-test/ndcg@10"), ("gini@10", True, "test/gini@10"), ("val/ndcg@10", False, "-val/ndcg@10")],
)
def test_a_study_suggests_the_best_run_first(metric, is_lower_better, expected):
    assert study._best_first(SimpleNamespace(metrics=[metric], lower_is_better=lambda _: is_lower_better)) == expected


def printed(arguments, command, run):
    console = Console(file=io.StringIO(), width=80)
    run(recsys.compose(arguments, command), console)
    return console.file.getvalue().splitlines()


def pasted(lines):
    """The commands at the end, each with the store that was given."""
    place = next(n for n, line in enumerate(lines) if line.startswith("Next: "))
    words = [shlex.split(line.removeprefix("Next:")) for line in lines[place:]]
    assert all(own[0] == "recsys" and own[-1].startswith("paths.runs_dir=") for own in words)
    return [own[1:-1] for own in words]


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "runs")
    small_study(made)
    return made


def test_runs_begins_with_the_store_and_ends_with_commands_for_its_runs(store):
    where = f"paths.runs_dir={store.root}"
    lines = printed([where, "sort=-test/ndcg@10"], "runs", runs.run)
    best = max(store.records(), key=lambda record: record.metrics["test/ndcg@10"]).run_id
    assert lines[0] == f"6 runs in {store.root}"
    assert pasted(lines) == [["runs", "action=show", f"run={best}"], ["compare"]]
    first, second = store.ids()[:2]
    lines = printed([where, "action=diff", f"run={first}", f"other={second}"], "runs", runs.run)
    assert pasted(lines)[0] == ["compare", f"select=[{first},{second}]"]
    other = made_run(store, "bert", "dot", 0, [0.5], protocol={"data": {"name": "another"}}).run_id
    lines = printed([where, "action=diff", f"run={first}", f"other={other}"], "runs", runs.run)
    assert pasted(lines) == [["runs", "action=show", f"run={first}"]]
    lines = printed([where, "action=delete", f"select=[{first}]"], "runs", runs.run)
    assert pasted(lines)[0] == ["runs", "action=delete", f"select=[{first}]", "confirm=true"]


def test_compare_begins_with_what_is_compared_and_ends_with_the_best_cell(store):
    arguments = [f"paths.runs_dir={store.root}", "formats=[csv]", "baseline=popularity"]
    lines = printed(arguments, "compare", compare.run)
    assert lines[0] == f"3 cells on toy: 2 seeds each, tested on 4 users; runs of {store.root}"
    best = next(record.run_id for record in store.records() if record.name == "bert+dot" and record.seed == 0)
    assert pasted(lines)[0] == ["runs", "action=show", f"run={best}"]


def test_a_run_is_named_in_one_line(store):
    console = Console(file=io.StringIO(), width=20)
    print_header(console, run_line(store.records()[0]))
    assert len(console.file.getvalue().splitlines()) == 1
    assert store.records()[0].run_id in console.file.getvalue()


def test_own_data_is_called_by_its_name_in_lines_and_tables(tmp_path):
    store = Store(tmp_path)
    protocol = {"data": "shop", "split": "random", "candidates": "all"}
    run = made_run(store, "a", "dot", 0, [0.5, 0.1], protocol=protocol)
    assert ", on shop, split " in run_line(run)
    header, line = to_csv(compare_runs([run], store, None, ["ndcg@10"])).splitlines()
    assert line.split(",")[header.split(",").index("data")] == "shop"


def test_the_data_and_split_of_a_command_are_those_of_the_next():
    cfg = OmegaConf.create({"overrides": ["data=table", "data.path=x", "seed=1", "split=random", "paths.runs_dir=y"]})
    assert of_data(cfg) == ["data=table", "data.path=x", "split=random"]
    assert own_overrides(cfg) == ["data=table", "data.path=x", "seed=1", "split=random"]
