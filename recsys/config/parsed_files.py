"""Hydra's reading of config files, with each file parsed once in a process."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource

_State = tuple[int, ...]  # of a file: it changes with the content
_parsed: dict[tuple[str, str, str], tuple[_State, bytes]] = {}  # by the source and the config's name


class ParsedFiles(ConfigRepository):
    """A repository that parses a file again only where the file has changed.

    Args:
        sources: The places where configs are searched.
    """

    def __init__(self, sources: Sequence[ConfigSource]) -> None:
        self.sources = list(sources)

    def __deepcopy__(self, memo: object) -> ParsedFiles:
        """Hydra copies the repository before it changes the list of sources."""
        return ParsedFiles(self.sources)

    def load_config(self, config_path: str) -> ConfigResult | None:
        """The parsed file, for the caller to change: composing does."""
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        state = None if source is None else _state(source, config_path)
        if source is None or state is None:
            return super().load_config(config_path)
        place = source.provider, source.path, config_path
        if place not in _parsed or _parsed[place][0] != state:
            _parsed[place] = state, pickle.dumps(super().load_config(config_path))
        found: ConfigResult = pickle.loads(_parsed[place][1])
        return found


def parse_once() -> None:
    """Have Hydra, which has been initialised, parse no file twice."""
    loader = cast(ConfigLoaderImpl, GlobalHydra.instance().config_loader())
    loader.repository = ParsedFiles(loader.repository.get_sources())


def _state(source: ConfigSource, config_path: str) -> _State | None:
    """Of a config's file; None for a config that is not a file."""
    if source.scheme() == "pkg":  # Hydra's own yamls, which do not change while it runs
        return ()
    if source.scheme() != "file":
        return None
    state = (Path(source.path) / ConfigSource._normalize_file_name(config_path)).stat()
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino
