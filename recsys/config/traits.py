"""Traits of components, which determine how components can be combined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recsys.config.folders import conf_dirs

TRAITS = "traits"


def traits_of(node: DictConfig | None) -> Mapping[str, Any]:
    """The traits of a component.

    They are read from its yaml. A yaml without the key `traits` has those of other yamls with the same `_target_`, so
    that a user's own yaml of a known component is treated as the original.

    Example:
        >>> traits_of(OmegaConf.create({"_target_": "recsys.rankers.als.ALSRanker"}))
        {'trained': False}
    """
    if node is None or node.get("_target_") is None:
        return {}
    if TRAITS in node:
        return node[TRAITS] or {}
    return _traits_by_target(tuple(conf_dirs())).get(str(node["_target_"]), {})


def reads_words(encoder: DictConfig | None) -> bool:
    """Whether an encoder's vectors depend on the words of texts; of several encoders, whether those of any do.

    Example:
        >>> reads_words(OmegaConf.create({"_target_": "recsys.encoders.none.NoneEncoder"}))
        False
    """
    if encoder is None or encoder.get("_target_") is None:
        return False
    parts = encoder.get("parts")
    if isinstance(parts, DictConfig) and parts:
        return any(reads_words(part) for part in parts.values() if isinstance(part, DictConfig))
    traits = traits_of(encoder)
    return bool(traits.get("text", True) and traits.get("words", True))


@lru_cache(maxsize=8)
def _traits_by_target(folders: tuple[Path, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for target, traits in _stated(folders):
        found.setdefault(target, traits)  # the package's own folder is the first
    return found


def _stated(folders: tuple[Path, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Targets with their traits, of all yamls with the key `traits`."""
    for path in (path for folder in folders for path in sorted(folder.glob("*/*.yaml"))):
        if f"{TRAITS}:" in path.read_text(encoding="utf-8"):
            node = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
            if isinstance(node, dict) and isinstance(node.get(TRAITS), dict) and node.get("_target_") is not None:
                yield str(node["_target_"]), node[TRAITS]
