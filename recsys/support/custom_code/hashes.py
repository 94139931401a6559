"""Hashes of code outside the package: a user's own encoders, rankers, losses and metrics."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, reduce
from pathlib import Path
from typing import Any

from recsys.support.checkout import edited_files
from recsys.support.custom_code.loaded import LoadedCode, differs, hash_of_module
from recsys.support.custom_code.modules import all_imported, find_file, imported, is_custom, module_of, read

log = logging.getLogger(__name__)
_DEPTH = 3  # nesting levels of components inside components
_reported: set[tuple[str, str]] = set()


def code_of_names(names: Iterable[str]) -> dict[str, str]:
    """Hashes of the custom modules behind dotted names, such as the `_target_` values of a configuration.

    Modules that they import are included where these are in the same package, or are not installed. A name that is
    defined in a notebook has a hash of its own.

    Returns:
        SHA-256 by module. Code of recsys and of known libraries is not included: records keep their versions. But in a
        checkout, a component's module and those that it imports are, as long as their changes are not committed.
    """
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        module = module_of(name)
        if module is None or not is_custom(module):
            found |= _edited(module)
            continue
        if find_file(module) is None or module == "__main__":
            found |= _without_file(_attribute(module, name.removeprefix(f"{module}.")), module)
        else:
            found |= _with_imports([module])
    return found


def code_of_object(component: object) -> dict[str, str]:
    """Hashes of the custom modules of a component's class, its base classes, and the components inside it."""
    found: dict[str, str] = {}
    classes = {base for part in _components(component, _DEPTH) for base in type(part).__mro__}
    for cls in sorted(classes, key=lambda cls: (cls.__module__, cls.__qualname__)):
        if not is_custom(cls.__module__):
            found |= _edited(cls.__module__)
            continue
        if find_file(cls.__module__) is None or cls.__module__ == "__main__":
            found |= _without_file(cls, cls.__module__)
        else:
            found |= _with_imports([cls.__module__])
    return found


def _with_imports(modules: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    left = list(modules)
    while left:
        module = left.pop()
        path = find_file(module)
        if module not in found and path is not None:
            found[module] = _hash(module)
            left.extend(imported(module, path))
    return found


def _edited(module: str | None) -> dict[str, str]:
    """Hashes of those among a module of recsys, and what it imports of recsys, whose changes are not committed."""
    edited = edited_files() if module else frozenset()
    found = sorted(name for name, path in _closure(module).items() if path in edited) if module and edited else []
    return {name: _hash(name) for name in found}


@cache
def _closure(module: str) -> dict[str, Path]:
    """The files of a module of recsys and of what it imports of recsys; empty for another module."""
    found: dict[str, Path] = {}
    left, seen = [module], set[str]()
    while left:
        name = left.pop()
        if name in seen or not name.startswith("recsys."):  # the package itself imports all of its API
            continue
        seen.add(name)
        path = find_file(name)
        if path is not None:
            found[name] = path.resolve()
            left.extend(all_imported(name, path))
    return found


def _hash(module: str) -> str:
    """Hash of the file, or of the loaded code if it differs."""
    path, loaded = find_file(module), sys.modules.get(module)
    assert path is not None
    source = read(path)
    if loaded is None or not differs(loaded, source):
        return source.sha256
    if (module, source.sha256) not in _reported:
        _reported.add((module, source.sha256))
        log.warning("%s was changed after it was imported: reload it, or start Python again, to use the change.", path)
    return hash_of_module(loaded)


def _without_file(value: Any, module: str) -> dict[str, str]:
    """The hash of a class or function of a notebook or script, and those of the custom modules that it uses."""
    code = LoadedCode()
    code.add(value, module)
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return {f"{module}.{name}": code.sha256, **_with_imports(code.modules - {module})}


def _attribute(module: str, path: str) -> Any:
    return reduce(lambda value, part: getattr(value, part, None), path.split("."), sys.modules.get(module))


def _components(value: object, depth: int) -> Iterator[object]:
    """A component and those among its attributes."""
    if isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _components(inner, depth - 1)
        return
    top = type(value).__module__
    if top != "builtins" and (is_custom(top) or top.startswith("recsys.")):
        yield value
        for inner in vars(value).values() if depth > 0 and hasattr(value, "__dict__") else ():
            yield from _components(inner, depth - 1)
