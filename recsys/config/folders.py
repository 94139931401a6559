"""The folders that configs are read from: the package's own, and those of the user."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

VARIABLE = "RECSYS_CONF"  # of the environment: further folders, as in PATH; worker processes inherit it
_PACKAGE, _FILE = "pkg://", "file://"
_OPTION = ("--config-dir", "-cd")  # of Hydra
_typed: list[str] = []  # the folders of `--config-dir`, as typed


def conf_dir() -> Path:
    """The folder of the configs: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"


def further() -> list[str]:
    """The absolute paths of the user's folders of configs, from RECSYS_CONF and `--config-dir`."""
    found = [entry for entry in os.environ.get(VARIABLE, "").split(os.pathsep) if entry]
    return [str(Path(entry).expanduser().absolute()) for entry in found]


def typed_in(arguments: Sequence[str]) -> list[str]:
    """The folders that arguments of a command line give by `--config-dir`."""
    apart = [value for option, value in pairwise(arguments) if option in _OPTION]
    return apart + [word.partition("=")[2] for word in arguments if word.startswith(f"{_OPTION[0]}=")]


def remember(arguments: Sequence[str]) -> None:
    """Add the folders of a command line, and keep them for `option_words`."""
    _typed[:] = typed_in(arguments)
    add(("file", folder) for folder in _typed if Path(folder).is_dir())


def option_words() -> list[str]:
    """The words of `--config-dir` in this process' command line, for commands that are printed; [] without it."""
    return [word for folder in _typed for word in (_OPTION[0], folder)]


def conf_dirs() -> list[Path]:
    """All folders of configs."""
    return [conf_dir(), *map(Path, further())]


def add(sources: Iterable[tuple[str, str]]) -> None:
    """Add folders of configs for this process and its workers.

    Args:
        sources: The schema ("file" or "pkg") and the path of each.
    """
    places = [_folder(path if schema == "file" else f"{schema}://{path}") for schema, path in sources]
    entries = dict.fromkeys([*further(), *(str(place.absolute()) for place in places if place is not None)])
    os.environ[VARIABLE] = os.pathsep.join(entries)


def _folder(entry: str) -> Path | None:
    if not entry.startswith(_PACKAGE):
        return Path(entry)
    spec = find_spec(entry.removeprefix(_PACKAGE).replace("/", "."))
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    return Path(places[0]) if places else None


class FurtherFolders(SearchPathPlugin):
    """Adds the user's folders to the search path of this package's commands, and of no other program's."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folders."""
        own = {str(element.path).removeprefix(_FILE) for element in search_path.get_path()}
        if str(conf_dir()) not in own:
            return
        for entry in further():
            if entry not in own:
                search_path.append("recsys-conf", f"{_FILE}{entry}")


def register() -> None:
    """Register the plugin with Hydra, once."""
    Plugins.instance().register(FurtherFolders)
