"""Names of runs, studies and reports that are used as names of files and folders."""

from __future__ import annotations

import re
import unicodedata

from recsys.schema import ConfigError

LONGEST = 200  # bytes; file systems allow 255, and temporary files add to a name


def check_name(key: str, name: object) -> str:
    """Return a name that is valid for a file or folder.

    Args:
        key: The config key or kind of the name, for messages.
        name: The name.

    Raises:
        ConfigError: If it is empty, "." or "..", longer than 200 bytes, or has a separator or control character.

    Example:
        >>> check_name("study.name", "scaling 2")
        'scaling 2'
    """
    text = "" if name is None else str(name)
    if not is_name(text):
        raise ConfigError(
            f"{key} is {text!r}; expected a name for a folder: at most {LONGEST} bytes, without / and \\ and without "
            'control characters, and not "." or "..".'
        )
    return text


def is_name(text: str) -> bool:
    """Whether `check_name` accepts a name."""
    is_path = text.strip() in ("", ".", "..") or any(map(_is_special, text))
    return not is_path and len(text.encode(errors="replace")) <= LONGEST


def _is_special(character: str) -> bool:
    return character in "/\\" or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def as_name(text: str) -> str:
    """A folder name for any text: other characters than letters, digits and `._-` become `_`.

    Example:
        >>> as_name("ml/../x y"), as_name("..")
        ('ml_.._x_y', '_..')
    """
    name = re.sub(r"[^\w.-]", "_", text)[: LONGEST // 4]
    return name if is_name(name) else f"_{name}"
