"""Commands as one line that can be pasted into a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

_SPECIAL = set("$`!")  # which a shell reads within double quotes


def command_line(words: Iterable[str]) -> str:
    """Words as one line for a shell.

    Example:
        >>> print(command_line(["recsys", "train", "data.separator=';'", "tags=[a]"]))
        recsys train "data.separator=';'" 'tags=[a]'
    """
    return " ".join(map(shell_word, words))


def shell_word(word: str) -> str:
    """One word; with double quotes around single quotes, which is easier to read than `shlex.quote`."""
    if "'" not in word or _SPECIAL & set(word):
        return shlex.quote(word)
    return '"' + re.sub(r'(["\\])', r"\\\1", word) + '"'
