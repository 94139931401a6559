"""Errors of Hydra, OmegaConf and YAML as one sentence that names the key, or the file and its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from recsys.config.folders import VARIABLE, conf_dirs
from recsys.config.overrides import override, quoted
from recsys.schema import ConfigError
from recsys.support.near_names import nearest
from recsys.support.shell_words import shell_word

MOST_OWNERS = 6  # options that are named
OWN_OPTIONS = f"Options of your own are read from the folder of --config-dir, and from those of {VARIABLE}."
OPEN = re.compile(r"study\.(?:cells|changes|factors|grid|space)(?=\.)")  # keys of a study whose names are the user's
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError)
_QUOTES = "\"'"
_INNER = re.compile(r"""'[^']*'|"[^"]*"|[~+]*[\w.@/]+=[^,\[\]{}'"]+""")  # quoted texts, and overrides without quotes
_SEVERAL = re.compile(r"Ambiguous value for argument '(.+)'$", re.MULTILINE)  # Hydra's message
_HINTS = ("See https://", "Set the env", "object_type=", "reference_type=", "full_key:", "To append to your config")


@contextmanager
def errors_named() -> Iterator[None]:
    """Turn errors of Hydra's composition into a `ConfigError`, which the user can correct.

    Raises:
        ConfigError: Instead of an error of Hydra, OmegaConf or YAML.
    """
    try:
        yield
    except COMPOSITION_ERRORS as error:
        raise ConfigError(sentence_of(error)) from error


def sentence_of(error: BaseException, command: str | None = None) -> str:
    """The message of an error, in one line.

    Args:
        error: The error.
        command: The command whose arguments have the error; None for a configuration of Python or of a study.

    Example:
        >>> sentence_of(OverrideParseException("seed=[1", "no viable alternative\\nSee https://hydra.cc for details"))
        'seed=[1 cannot be read: a bracket is not closed, or closes nothing.'
    """
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read: {_of_override(error.override) or _line(str(error))}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        options = [name for name in error.options if not name.startswith("_")]  # the others are parts of options
        hint = nearest(option, options) or f". {OWN_OPTIONS}"
        return f"{group}={option} is not an option; expected one of {', '.join(options)}{hint}"
    if isinstance(error, MissingConfigException) and "primary config" in str(error):
        return (
            f"there is no configuration '{error.missing_cfg_file}'; expected that of a command, such as train or study."
        )
    several = _SEVERAL.match(str(error))
    if several:
        return _of_several(several[1], command)
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        return _of_key(cause)
    return _line(str(error))


def _of_several(written: str, command: str | None) -> str:
    """The remedies for an override with several values, such as seed=0,1."""
    key, _, value = written.partition("=")
    each = "call recsys.run once for each value, or recsys.study"
    if command is not None:
        each = f"add -m to run the command once for each, as in recsys {command} -m … {shell_word(written)}"
    as_list, as_text = shell_word(f"{key}=[{value}]"), shell_word(override(key, value))
    return f"{written} has several values, and a key takes one: {each}. A list is {as_list}, a text {as_text}."


def _of_override(written: str) -> str | None:
    """The likely fault of an override that Hydra cannot parse, with its remedy; None if it is not a known one."""
    key, equals, value = written.partition("=")
    if not equals:
        return "expected key=value, without spaces around the equals sign; --help lists the keys."
    if any(value.count(left) != value.count(right) for left, right in ("[]", "{}", "()")):
        return "a bracket is not closed, or closes nothing."
    if value.startswith(("[", "{")) and "=" in value:
        inner = _INNER.sub(lambda found: found[0] if found[0][0] in _QUOTES else f'"{found[0].rstrip()}"', value)
        return None if inner == value else f"overrides within a value need quotes: {shell_word(f'{key}={inner}')}"
    if value.startswith("[") and not value.startswith("[["):
        parts = [part.strip() for part in value[1:-1].split(",")]
        inner = ",".join(part if part[:1] in _QUOTES else quoted(part) for part in parts)
        quotes = f"values with special characters need quotes: {shell_word(f'{key}=[{inner}]')}"
        return None if f"[{inner}]" == value else quotes
    is_whole = value.startswith(("'", '"', "["))  # which quotes would make a text of another meaning
    return None if is_whole else f"a value with special characters needs quotes: {shell_word(override(key, value))}"


def _of_key(error: OmegaConfBaseException) -> str:
    key, parent = error.full_key, error.parent_node
    if "is not in struct" in str(error) and isinstance(parent, DictConfig):
        known = [str(name) for name in parent]
        found = OPEN.match(str(key))
        if found:
            group, name = found[0], str(key)[found.end() + 1 :]
            has = f"has {', '.join(known)} and not {name}" if known else "is empty"
            return f"{group} {has}: '+{group}={{{name}: …}}' adds an entry; a dotted key is written in one piece."
        hint = nearest(str(error.key), known) or f"; expected one of {', '.join(known)}."
        return f"{key} is an unknown key{hint}{_owners(str(key))}"
    message = _line(str(error))
    _, is_missing, missing = message.partition("Missing mandatory value: ")
    if is_missing:
        used_by = f", which {key} refers to" if key and key != missing else ""
        return f"{missing} has no value{used_by}: set {missing}=…"
    return f"{key}: {message}" if key and key not in message else message


def _owners(key: str) -> str:
    """A sentence with the other options of a key's group that have the key; empty if none has it."""
    group, *own = key.split(".")
    files = sorted(path for folder in conf_dirs() for path in (folder / group).glob("[!_]*.yaml"))
    names = [path.stem for path in files if own and _has(yaml.safe_load(path.read_text(encoding="utf-8")), own)]
    if not names:
        return ""
    more = f" and {len(names) - MOST_OWNERS} more" if len(names) > MOST_OWNERS else ""
    return f" It is a key of {group}={', '.join(names[:MOST_OWNERS])}{more}."


def _has(tree: Any, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def _line(message: str) -> str:
    lines = (line.strip() for line in message.splitlines())
    return " ".join(line for line in lines if line and not line.startswith(_HINTS))
