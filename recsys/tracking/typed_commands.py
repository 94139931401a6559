"""The command that is running, as it can be typed again."""

from __future__ import annotations

from collections.abc import Iterable

from recsys.config.folders import option_words
from recsys.support.shell_words import command_line
from recsys.tracking.secrets import redacted


def typed_command(command: str, words: Iterable[str]) -> str:
    """A command line of recsys, without secrets, and with the `--config-dir` of the running command.

    Example:
        >>> typed_command("study", ["study=demo", "search.n_trials=3"])
        'recsys study study=demo search.n_trials=3'
    """
    return redacted(command_line(["recsys", command, *option_words(), *words]))
