"""The text of `recsys COMMAND --help`, read from the command's yaml and its comments."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap

import yaml

from recsys.commands.registry import description
from recsys.config.comments import Key, commented_keys
from recsys.config.folders import conf_dir, conf_dirs, typed_in

_COLUMN = 30  # where the explanations begin
_WIDEST = 120
_REQUIRED = "???"  # Hydra's mark of a value that the user must give
_PATHS, _SET_FOR_EACH_RUN = "paths", "run_dir"  # the group with one choice, whose keys are listed with the command's
_OVERRIDES = (
    ("key=value", "sets a key, or chooses an option of a group: seed=1, encoder=bert, encoder.pooling=mean"),
    ("+key=value", "adds a key or a group that the configuration lacks; ++key=value adds or sets it"),
    ("~key", "removes a key or a group"),
    ("-m key=a,b", "one job for each value, and for each combination of values of several keys"),
    ("'key=[a,b]'", "quotes keep brackets, spaces, $ and * from the shell"),
)
_OPTIONS = (
    ("--cfg job", "prints the composed configuration, and runs nothing"),
    ("--config-dir DIR", "reads config files from this folder as well"),
    ("--version", "prints the version of recsys"),
)


def help_text(name: str, arguments: Sequence[str] = ()) -> str:
    """The help of a subcommand: its purpose, examples, groups, keys, and the syntax of overrides.

    Args:
        name: Of the subcommand.
        arguments: Of the command line; a folder given by `--config-dir` adds its choices.
    """
    folders = [*conf_dirs(), *map(Path, typed_in(arguments))]
    own, config = description(name), conf_dir() / f"{name}.yaml"
    keys = [*commented_keys(config), *_keys_of_paths()]
    sections = {
        f"Usage: recsys {name} [key=value ...]\n": [own.text],
        "Examples:": [f"  {example}" for example in own.examples],
        "Groups (group=default, then all choices):": _entries(_groups(config, folders)),
        "Keys (key=default, then the meaning):": _entries(_key_entry(key) for key in keys if _is_explained(key)),
        "Overrides:": _entries(_OVERRIDES),
        "Options:": _entries(_OPTIONS),
    }
    return "\n\n".join("\n".join([title, *lines]) for title, lines in sections.items() if lines)


def _groups(config: Path, folders: Sequence[Path]) -> Iterator[tuple[str, str]]:
    for entry in yaml.safe_load(config.read_text(encoding="utf-8")).get("defaults", []):
        group, default = next(iter(entry.items())) if isinstance(entry, dict) else (entry, None)
        if group in ("_self_", _PATHS) or " " in group:  # such as `override hydra/…`, which users do not choose
            continue
        found = {path.stem for folder in folders for path in (folder / group).glob("*.yaml")}
        choices = sorted(name for name in found if not name.startswith("_"))
        yield f"{group}={'null' if default is None else default}", ", ".join(choices)


def _keys_of_paths() -> Iterator[Key]:
    for key in commented_keys(conf_dir() / _PATHS / "default.yaml"):
        if key.name != _SET_FOR_EACH_RUN:
            yield Key(f"{_PATHS}.{key.name}", key.default, key.comment)


def _is_explained(key: Key) -> bool:
    return bool(key.comment) and not key.name.startswith("hydra.")


def _key_entry(key: Key) -> tuple[str, str]:
    if key.default == _REQUIRED:
        return f"{key.name}=…", f"required: {key.comment}"
    return (key.name if key.default is None else f"{key.name}={key.default}"), key.comment


def _entries(entries: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> list[str]:
    """Terms with their explanations in a second column; a long term has a line of its own."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    lines = []
    for term, explanation in entries:
        wrapped = _wrapped(explanation, max(width, 2 * _COLUMN))
        is_short = len(term) + 4 <= _COLUMN
        if is_short and wrapped:
            wrapped[0] = f"  {term}".ljust(_COLUMN) + wrapped[0].lstrip()
            lines += wrapped
        else:
            lines += [f"  {term}", *wrapped]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * _COLUMN
    return wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
