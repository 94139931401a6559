"""Shell completion: subcommands are completed here, their overrides by Hydra."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from recsys.commands import registry

_LINE = re.compile(r"\s*(\S+)\s*(\S*)(.*)")  # recsys, the subcommand, and the rest with the space before it
_QUERY = "query="


def complete(arguments: Sequence[str]) -> None:
    """Print the script that a shell runs, or the completions of the line that is being typed.

    Args:
        arguments: `install=bash` or `uninstall=bash` for the script; `query=bash` for the completions of the variable
            COMP_LINE of the environment. Other shells that Hydra supports: zsh, fish.
    """
    if not any(argument.startswith(_QUERY) for argument in arguments):
        registry.run(registry.COMMANDS[0], ["-sc", *arguments])  # the script is the same for all subcommands
        return
    program, word, rest = _split(os.environ.get("COMP_LINE", ""))
    name = registry.command_named(word)
    if not rest:  # the subcommand itself is being typed
        print("\n".join(name for name in registry.COMMANDS if name.startswith(word)))
    elif name is not None:
        os.environ["COMP_LINE"] = f"{program}{rest}"  # as Hydra expects it
        registry.run(name, ["-sc", *arguments])


def _split(line: str) -> tuple[str, str, str]:
    match = _LINE.fullmatch(line)
    return ("recsys", match[2], match[3]) if match else ("recsys", "", "")
