"""The subcommands: their names by group, their summaries, and a function that runs one."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from recsys.config.overrides import quoted
from recsys.support.interruption import stoppable

GROUPS = {
    "Experiments": ("train", "study", "answer", "score", "evaluate"),
    "Results": ("compare", "runs", "profiles", "audit", "update_readme"),
    "Serving": ("recommend", "export", "refit"),
    "Data and language models": ("new", "prepare_data", "pretrain", "semantic_ids", "write"),
}
FIRST_WORD = {"new": "path"}  # the key that a first argument without `=` gives
COMMANDS = tuple(name for names in GROUPS.values() for name in names)


@dataclass(frozen=True)
class Description:
    """The docstring of a subcommand's module, and its EXAMPLES."""

    text: str
    examples: tuple[str, ...]


def command_named(word: str) -> str | None:
    """The subcommand of that name, with `-` or `_` between words; None if there is none."""
    name = word.replace("-", "_")
    return name if name in COMMANDS else None


@lru_cache
def description(name: str) -> Description:
    """A subcommand's docstring, read from its source, so that help needs none of its imports."""
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    assigned = {node.targets[0].id: node.value for node in tree.body if _is_named(node)}  # type: ignore[attr-defined]
    return Description(ast.get_docstring(tree) or "", ast.literal_eval(assigned["EXAMPLES"]))


def _is_named(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)


def summary(name: str) -> str:
    """The first line of a subcommand's docstring."""
    return description(name).text.splitlines()[0]


def overrides_of(name: str, arguments: Sequence[str]) -> list[str]:
    """The arguments as overrides; a first word without `=` is a value (in `new`) or a short form (in `write`)."""
    own = getattr(import_module(f"recsys.commands.{name}"), "arguments_of", None)
    return with_first_word(name, arguments) if own is None else list(own(arguments))


def run(name: str, arguments: Sequence[str]) -> None:
    """Run a subcommand with these arguments.

    Raises:
        SystemExit: With its exit status, unless that is 0.
    """
    with stoppable():  # before the first library is imported
        from recsys.commands.application import run_application

        module = import_module(f"recsys.commands.{name}")
        run_application(module.run, name, overrides_of(name, arguments))


def with_first_word(name: str, arguments: Sequence[str]) -> list[str]:
    """The arguments, with the key of a value that is written without it, as in `recsys new my_shop`."""
    first, *rest = arguments or [""]
    if name not in FIRST_WORD or not first or first.startswith(("-", "~")) or "=" in first:
        return list(arguments)
    return [f"{FIRST_WORD[name]}={quoted(first)}", *rest]
