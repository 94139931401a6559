"""Commands that a command proposes can be pasted."""

from __future__ import annotations

import io
import shlex

from omegaconf import OmegaConf
from rich.console import Console

import recsys
from recsys.commands.next_steps import print_next_steps


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


def test_secrets_are_not_repeated():
    (line,) = proposed([], ["study", "search.storage=postgresql://me:secret@host/db"])
    assert "secret" not in " ".join(line)
