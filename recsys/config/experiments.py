"""The values of an experiment for its own options, which have no meaning for options that replace these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

GROUP, SEARCH = "experiment", "search"


def drop_replaced(
    cfg: DictConfig, chosen: Sequence[str], folders: Sequence[Path], composed: Callable[[tuple[str, ...]], DictConfig]
) -> None:
    """Remove an experiment's values of groups whose option was replaced, if the new option has no such key.

    With `experiment=esasrec loss=full_softmax`, which brings `negatives=all`, the experiment's number of negatives is
    removed. A key that the experiment's own option lacks stays, so that it is an error.

    Args:
        cfg: A composed configuration with its `choices`; changed in place.
        chosen: The overrides that choose options.
        folders: Folders of configs.
        composed: The composition of other such overrides.
    """
    name = cfg.choices.get(GROUP)
    alone = (f"{GROUP}={name}",)
    if not isinstance(name, str) or tuple(chosen) == alone:
        return
    own = composed(alone)
    for group, values in _values(name, folders).items():
        option = cfg.choices.get(group)
        node = cfg.get(group)
        if option is None or option == own.choices.get(group) or not isinstance(node, DictConfig):
            continue
        known = composed((f"{group}={option}",))[group]
        with open_dict(cfg):
            _drop(node, {key: value for key, value in values.items() if key != SEARCH}, known)
            if SEARCH in node and SEARCH in values:
                _drop(node[SEARCH], values[SEARCH], {**known, **(known.get(SEARCH) or {})})


def _drop(node: DictConfig, keys: Mapping[str, Any], known: Mapping[Any, Any]) -> None:
    for key in keys:
        if key in node and key not in known:
            del node[key]


def _values(name: str, folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """The values of an experiment's yaml, and of the experiments that it begins with, by group."""
    paths = [path for folder in folders if (path := folder / GROUP / f"{name}.yaml").is_file()]
    if not paths:
        return {}
    content = OmegaConf.to_container(OmegaConf.load(paths[0]), resolve=False)
    if not isinstance(content, dict):
        return {}
    found: dict[str, dict[str, Any]] = {}
    parents = [entry for entry in content.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    for own in [*(_values(parent, folders) for parent in parents), content]:
        for group, values in own.items():
            if isinstance(values, dict):
                found.setdefault(str(group), {}).update(values)
    return found
