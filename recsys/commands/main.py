"""The command `recsys`: finds the subcommand, and passes it the rest of the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from recsys.commands import registry
from recsys.config.overrides import home_quoted
from recsys.support.near_names import near_names

MULTIRUN = ("-m", "--multirun")  # first, since Hydra's argparse refuses overrides after a flag between overrides
HELP, VERSION, COMPLETION = ("--help", "-h"), "--version", ("--shell-completion", "-sc")
USAGE_ERROR = 2  # exit status


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: The subcommand and its arguments; None for those of the process.

    Raises:
        SystemExit: With status 2 for an error that the user can correct, 1 for any other, 130 after SIGINT, 143 after
            SIGTERM.
    """
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal may not show every character
    words = list(sys.argv[1:] if arguments is None else arguments)
    first, rest = (words[0], words[1:]) if words else ("", [])
    name = registry.command_named(first)
    if name is not None:
        _run(name, sorted(map(home_quoted, rest), key=lambda word: word not in MULTIRUN))  # overrides may follow -m
    elif first in COMPLETION:
        from recsys.commands.completion import complete

        complete(rest)
    elif first in HELP:
        _print(_overview())
    elif first == VERSION:
        _print_version()
    else:
        sys.exit(_usage_error(first))


def _run(name: str, arguments: Sequence[str]) -> None:
    if set(HELP) & set(arguments):
        from recsys.commands.help_text import help_text

        _print(help_text(name, arguments))
    elif VERSION in arguments:
        _print_version()
    else:
        registry.run(name, arguments)


def _print_version() -> None:
    from recsys import __version__

    _print(f"recsys {__version__}")


def _print(text: str) -> None:
    """Print, and end without a traceback if the reader has closed the pipe, as `head` does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout at its end
        sys.exit(1)


def _overview() -> str:
    lines = ["Usage: recsys COMMAND [key=value ...]", ""]
    for group, names in registry.GROUPS.items():
        lines += [f"{group}:", *(f"  {name:<15}{registry.summary(name)}" for name in names), ""]
    lines += ["recsys COMMAND --help explains a command. recsys --version prints the version."]
    return "\n".join(lines)


def _usage_error(word: str) -> int:
    """Print an error about the first word; returns the exit status."""
    if not word:
        print(_overview(), file=sys.stderr)
    elif word.startswith("-") or "=" in word:
        print(f"error: {word}: the command comes first, as in recsys train {word}.", file=sys.stderr)
    else:
        print(
            f"error: {word} is not a command; did you mean one of {_nearest(word)}? See recsys --help.", file=sys.stderr
        )
    return USAGE_ERROR


def _nearest(word: str) -> str:
    return ", ".join(near_names(word, registry.COMMANDS, cutoff=0))
