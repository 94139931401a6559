"""Keys that are typed where a command has them elsewhere: those of a study's runs, or those of one of its nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recsys.support.shell_words import shell_word

STUDY = "study"
MOST = 4  # keys that are named


def misplaced(
    arguments: Sequence[str], config_name: str, composed: Callable[[Sequence[str], str], DictConfig]
) -> str | None:
    """A sentence that shows where the misplaced keys of a command line belong; None if there is none.

    Args:
        arguments: Such as "seed=1", or options of Hydra.
        config_name: The command's yaml, such as "study".
        composed: The configuration of overrides and a command's yaml.

    Example:
        >>> from recsys import compose
        >>> misplaced(["study=sweep", "n_trials=20"], "study", compose)
        'n_trials is an unknown key; did you mean search.n_trials?'
        >>> misplaced(["study=sweep", "test_knowledge=train"], "study", compose).partition(": ")[0]
        "test_knowledge is a key of a study's runs"
    """
    own = _plain(composed([argument for argument in arguments if argument.startswith(f"{STUDY}=")], config_name))
    nodes = {name: node for name, node in own.items() if name != "choices" and isinstance(node, dict)}
    unknown = {argument: key for argument in arguments if (key := _top(argument)) and key not in own}
    for argument, key in unknown.items():
        found = [f"{name}.{known}" for known in (key, f"{key}s") for name, node in nodes.items() if known in node]
        if found:
            typed = argument.partition("=")[0].lstrip("+~")
            meant = " or ".join(f"{each}{typed.removeprefix(key)}" for each in found[:MOST])
            return f"{typed} is an unknown key; did you mean {meant}?"
    if config_name != STUDY:
        return None
    of_runs = _plain(composed((), "train"))
    further = {argument: key for argument, key in unknown.items() if key in of_runs}
    if not further:
        return None
    common = [*(own[STUDY]["common"] or []), *further]
    typed = f"study.common=[{','.join(json.dumps(each, ensure_ascii=False) for each in common)}]"
    keys = dict.fromkeys(further.values())
    is_one = len(keys) == 1
    return (
        f"{' and '.join(keys)} {'is a key' if is_one else 'are keys'} of a study's runs: {shell_word(typed)} sets "
        f"{'it' if is_one else 'them'} for all of them."
    )


def _plain(cfg: DictConfig) -> dict[str, Any]:
    """Not resolved, since values that a command must be given are missing."""
    found = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def _top(argument: str) -> str:
    """The first part of an override's key; empty for an option of the command line."""
    key, equals, _ = argument.partition("=")
    return re.split(r"[.@]", key.lstrip("+~"))[0] if equals and not key.startswith(("-", "hydra")) else ""
