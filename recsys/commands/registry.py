"""The subcommands: their names, in groups, their summaries, and how one is run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from recsys.support.interruption import stoppable

GROUPS = {
    "Experiments": ("train", "study", "evaluate"),
    "Results": ("compare", "runs", "profiles", "update_readme"),
    "Serving": ("recommend", "export", "refit"),
    "Data and language models": ("prepare_data", "pretrain"),
}
COMMANDS = tuple(name for names in GROUPS.values() for name in names)


def command_named(word: str) -> str | None:
    """The subcommand of that name, with `-` or `_` between words; None if there is none."""
    name = word.replace("-", "_")
    return name if name in COMMANDS else None


def module_of(name: str) -> ModuleType:
    """The module of a subcommand: its docstring, its EXAMPLES, and `run(cfg)`. Nothing heavy is imported."""
    return import_module(f"recsys.commands.{name}")


def summary(name: str) -> str:
    """What a subcommand does, in one line."""
    return (module_of(name).__doc__ or "").splitlines()[0]


def run(name: str, arguments: Sequence[str]) -> None:
    """Run a subcommand with these arguments.

    Raises:
        SystemExit: With its exit status, unless that is 0.
    """
    with stoppable():  # before the first library is imported
        from recsys.commands.application import run_application

        run_application(module_of(name).run, name, arguments)
