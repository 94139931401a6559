"""All uses of Hydra's private code, with the reason why the public API is too slow.

A study composes a configuration for each of its runs, and a command several. With Hydra's public `compose` alone, a
composition of new options needs 717,000 function calls. The following reduce them to 290,000:

- `ConfigRepository` has no public alternative that keeps parsed files; `ParsedFiles` saves 231,000 calls.
- `_create_interpolation_map` merges all choices for interpolations that hardly any defaults list has: 132,000 calls.
- `_embed_result_config` copies each file's configuration deeply: 64,000 calls.
- `_apply_overrides_to_config` sets values in a composed configuration as the command line does, with `+`, `++`, `~` and
  its errors. So runs that differ in values alone need no composition, which saves over 90 % of the time.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra._internal import defaults_list as defaults_lists
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf, flag_override

_State = tuple[int, ...]  # size, times and inode of a file, which change with its content
_parsed: dict[tuple[str, str, str], tuple[_State, bytes]] = {}  # by the source and the config's name


class ParsedFiles(ConfigRepository):
    """A repository that parses a file again only if it has changed.

    Args:
        sources: The places where configs are searched.
    """

    def __init__(self, sources: Sequence[ConfigSource]) -> None:
        self.sources = list(sources)

    def __deepcopy__(self, memo: object) -> ParsedFiles:
        """Hydra copies the repository before it changes the list of sources."""
        return ParsedFiles(self.sources)

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A copy of the parsed file, since composing changes it."""
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        state = None if source is None else _state(source, config_path)
        if source is None or state is None:
            return super().load_config(config_path)
        place = source.provider, source.path, config_path
        if place not in _parsed or _parsed[place][0] != state:
            _parsed[place] = state, pickle.dumps(super().load_config(config_path))
        found: ConfigResult = pickle.loads(_parsed[place][1])
        return found


def apply_values(overrides: list[Override], cfg: DictConfig) -> None:
    """Set, add and delete values of a composed configuration, as overrides of the command line do."""
    ConfigLoaderImpl._apply_overrides_to_config(overrides, cfg)


@contextmanager
def composing_fast() -> Iterator[None]:
    """Within the block Hydra parses no file twice, and skips parts that a composition does not use."""
    loader = cast(ConfigLoaderImpl, GlobalHydra.instance().config_loader())
    loader.repository = ParsedFiles(loader.repository.get_sources())
    loader._embed_result_config = _embedded  # type: ignore[method-assign]
    whole = defaults_lists._create_interpolation_map

    def choices(overrides: Any, defaults_list: Any, self_added: bool) -> DictConfig:
        """All choices so far, for the interpolations of a defaults list; most lists have none."""
        is_used = any(map(_is_interpolated, defaults_list))
        return whole(overrides, defaults_list, self_added) if is_used else OmegaConf.create()

    defaults_lists._create_interpolation_map = choices
    try:
        yield
    finally:
        defaults_lists._create_interpolation_map = whole


def _is_interpolated(default: Any) -> bool:
    return not default.is_self() and default.is_interpolation()


def _embedded(ret: ConfigResult, package_override: str | None) -> ConfigResult:
    """A file's config in its package, as Hydra embeds it, copied in a tenth of the time of a deep copy."""
    package = ret.header["package"] if package_override is None else package_override
    if not package:
        return ret
    found, cfg = copy.copy(ret), OmegaConf.create()
    with flag_override(cfg, "no_deepcopy_set_nodes", True):
        OmegaConf.update(cfg, package, pickle.loads(pickle.dumps(ret.config)), merge=False)
    found.config = cfg
    return found


def _state(source: ConfigSource, config_path: str) -> _State | None:
    """Size, times and inode of a config's file; None for a config that is not a file."""
    if source.scheme() == "pkg":  # Hydra's own yamls, which do not change while it runs
        return ()
    if source.scheme() != "file":
        return None
    name = config_path if config_path.endswith(".yaml") else f"{config_path}.yaml"
    state = (Path(source.path) / name).stat()
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino
