"""Servers that a record names, and environment variables whose values it sends to them, need the user's consent."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from recsys.config.overrides import quoted
from recsys.schema import ConfigError
from recsys.support.shell_words import shell_word

API_KEY_VARIABLE = "api_key_variable"
LOCALHOST = "localhost"
_NO_SERVERS = ("choices", "overrides", "tags")  # top-level keys whose texts no component reads
_DOUBTFUL = ("@", "\\")  # clients may read another host from such a URL
_PLAIN = re.compile(r"[\w./:-]+", re.ASCII)  # texts that need no quotes in a list of Hydra's command line

Leaf = tuple[tuple[str, ...], Any]


def server_of(value: Any) -> str | None:
    """Scheme, host and port of a URL; None for all other values.

    Example:
        >>> server_of("https://api.openai.com/v1"), server_of("http://LOCALHOST:8000"), server_of("sqlite:///a.db")
        ('https://api.openai.com', 'http://localhost:8000', None)
    """
    if not isinstance(value, str) or "://" not in value:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:  # such as a malformed IPv6 address
        return value
    return f"{parts.scheme}://{parts.netloc.lower()}" if parts.scheme and parts.netloc else None


def check_servers(leaves: Iterable[Leaf], trusted: Collection[str], file: str, environment: str) -> None:
    """Raise an error for servers, and for variables of API keys, that the user does not trust.

    A server on this machine to which no key is sent needs no trust.

    Args:
        leaves: The values of a record's configuration, with the keys that lead to them.
        trusted: Servers, as `server_of` gives them, and names of variables.
        file: The record's file, for messages.
        environment: The environment variable with the names that the user trusts, for messages.

    Raises:
        ConfigError: With the keys, and with all names to trust.
    """
    found = _named(leaves)
    with_key = {keys[:-1] for keys, _ in found if keys[-1] == API_KEY_VARIABLE}
    needed = [(keys, name) for keys, name in found if keys[:-1] in with_key or not _is_here(name)]
    missing = {name: keys for keys, name in needed if name not in trusted}
    if missing:
        said = " and ".join(f"config.{'.'.join(keys)} names {name!r}" for name, keys in missing.items())
        raise ConfigError(
            f"{file}: {said}, which {'is' if len(missing) == 1 else 'are'} not trusted. Records may come from other "
            "people. Texts of your data, and the values of such variables, may be sent to the record's servers. If "
            f"you trust these names, {_advice(missing, environment)}."
        )


def servers_in(leaves: Iterable[Leaf]) -> set[str]:
    """The servers and variables of API keys that a configuration names."""
    return {name for _, name in _named(leaves)}


def _named(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Servers and variables of API keys, with the keys that lead to them."""
    found: list[Leaf] = []
    for keys, value in leaves:
        name = str(value) if keys[-1] == API_KEY_VARIABLE and value is not None else server_of(value)
        if name is not None and keys[0] not in _NO_SERVERS:
            found.append((keys, name))
    return found


def _is_here(server: str) -> bool:
    """Whether a server is on this machine."""
    if any(mark in server for mark in _DOUBTFUL):
        return False
    try:
        host = urlsplit(server).hostname or ""
        return host == LOCALHOST or ip_address(host).is_loopback
    except ValueError:
        return False


def _advice(names: Collection[str], environment: str) -> str:
    """The ways to trust these names; no name can be read as shell code."""
    flag = f"trust=[{','.join(name if _PLAIN.fullmatch(name) else quoted(name) for name in names)}]"
    variable = f"{environment}={shell_word(','.join(names))}"
    called = f"recsys.trust({', '.join(map(repr, names))})"
    return f"add {shell_word(flag)} to the command, set {variable}, or call {called}"
