"""Components that are registered from Python: a temporary yaml for each, and their classes for worker processes."""

from __future__ import annotations

import atexit
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Any

import yaml

from recsys.config import folders
from recsys.config.trust import PACKAGES, allow
from recsys.schema import ConfigError
from recsys.support.custom_code.modules import is_custom
from recsys.support.near_names import nearest

MAIN = "__main__"  # the module of notebooks and scripts, which workers cannot import
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_of_main: dict[str, Any] = {}  # classes and functions of the notebook, by name
_targets: set[str] = set()


@dataclass(frozen=True)
class Registered:
    """The data that a worker process needs to build registered components.

    Attributes:
        targets: Their full names.
        of_main: Classes and functions of a notebook or script, by name; cloudpickle sends their code to the worker.
    """

    targets: frozenset[str]
    of_main: Mapping[str, Any]

    def restore(self) -> None:
        """Make the components known to this process."""
        for name, component in self.of_main.items():
            setattr(sys.modules[MAIN], name, component)
        allow(*self.targets)


def register(
    component: Any, group: str, name: str, defaults: Sequence[str] = (), values: Mapping[str, Any] | None = None
) -> None:
    """Make a class or function an option of a config group, until Python ends.

    Args:
        component: Defined at the top level of a notebook, a script or a module.
        group: Of the configuration, such as "encoder".
        name: Of the option. An earlier component with this name is replaced.
        defaults: The defaults list of its yaml: names of yamls of the group, such as "_fitted" for rankers.
        values: Further keys of its yaml: the constructor's arguments, `search`, `traits`, `_partial_`.

    Raises:
        ConfigError: If the component is not defined at the top level of a module, or the group or the name is invalid.
    """
    path = _folder_of(group, name)
    if not isinstance(component, type | FunctionType) or "<" in component.__qualname__:
        raise ConfigError(
            f"recsys.register: {component!r} is not a class or function that is defined at the top level of a module."
        )
    target = f"{component.__module__}.{component.__qualname__}"
    if not is_custom(component.__module__):
        raise ConfigError(f"recsys.register: {target} belongs to a library; expected a class or function of your own.")
    content = {"_target_": target, **(values or {})}
    if defaults:
        content = {"defaults": [*defaults, "_self_"], **content}
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    allow(target)
    _targets.add(target)
    if component.__module__ == MAIN:
        _of_main[component.__qualname__] = component


def registered() -> Registered | None:
    """The components that workers must be given; None if there are none."""
    return Registered(frozenset(_targets), dict(_of_main)) if _targets else None


def with_registered(known: Registered, perform: Callable[[Any], Any], job: Any) -> Any:
    """Do a job in a worker process, after the registered components are made known to it."""
    known.restore()
    return perform(job)


def _folder_of(group: str, name: str) -> Path:
    if group not in PACKAGES:
        hint = nearest(group, PACKAGES) or "."
        raise ConfigError(f"recsys.register: the group is {group!r}; expected one of {', '.join(PACKAGES)}{hint}")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == "none":
        raise ConfigError(f"recsys.register: the name is {name!r}; expected letters, digits and underscores.")
    own = _own_folder()
    for folder in folders.conf_dirs():
        if folder != own and (folder / group / f"{name}.yaml").is_file():
            raise ConfigError(f"recsys.register: {group}={name} already exists in {folder}; choose another name.")
    return own / group / f"{name}.yaml"


@lru_cache
def _own_folder() -> Path:
    """A folder of configs that is deleted when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="recsys-registered-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folders.add([("file", str(folder))])
    return folder
