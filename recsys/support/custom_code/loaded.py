"""The code that this process has loaded: hashed if it has no file, else compared with its file."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property, partial, reduce
from types import CodeType, FunctionType, ModuleType
from typing import Any

from recsys.support.custom_code.modules import SourceFile, is_custom

_PLAIN = (int, float, complex, str, bytes, type(None))
_NO_CODE = {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__", "_abc_impl"}


class LoadedCode:
    """A hash of loaded functions and classes, and of everything in their own module that they use.

    Attributes:
        modules: Other custom modules that they use.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._seen: list[Any] = []
        self.modules: set[str] = set()

    @property
    def sha256(self) -> str:
        """The hash of all values that were added."""
        return self._hash.hexdigest()

    def add(self, value: Any, home: str) -> None:
        """Add a value that code of the module `home` uses."""
        if any(value is other for other in self._seen):
            return
        if isinstance(value, _PLAIN):
            self._word(repr(value))
        elif isinstance(value, list | tuple | set | frozenset | dict):
            self._add_collection(value, home)
        elif isinstance(value, CodeType):
            self._add_code(value, home)
        elif isinstance(value, FunctionType | type):
            self._seen.append(value)
            self._add_definition(value, home)
        elif isinstance(value, ModuleType):
            self._refer(value.__name__)
        else:
            self._word(type(value).__qualname__)
            for part in _parts(value):
                self.add(part, home)

    def _add_collection(self, value: Any, home: str) -> None:
        self._word(f"{type(value).__name__} {len(value)}")
        if isinstance(value, dict):
            value = [entry for pair in value.items() for entry in pair]
        for inner in sorted(value, key=repr) if isinstance(value, set | frozenset) else value:
            self.add(inner, home)

    def _add_definition(self, value: Any, home: str) -> None:
        self._word(f"{value.__module__}.{value.__qualname__}")
        if value.__module__ != home:
            self._refer(value.__module__)
        elif isinstance(value, type):
            entries = {name: entry for name, entry in vars(value).items() if name not in _NO_CODE}
            self.add([value.__bases__, dict(sorted(entries.items()))], home)
        else:
            function = inspect.unwrap(value)
            cells = [cell.cell_contents for cell in function.__closure__ or () if cell != type(cell)()]
            self.add([function.__code__, function.__defaults__, function.__kwdefaults__, cells], home)
            used = sorted(_names(function.__code__) & function.__globals__.keys())
            self.add({name: function.__globals__[name] for name in used}, home)

    def _add_code(self, code: CodeType, home: str) -> None:
        self._word(code.co_code.hex())
        self.add([code.co_names, code.co_varnames, code.co_freevars, code.co_consts], home)

    def _refer(self, module: str) -> None:
        if is_custom(module):
            self.modules.add(module)

    def _word(self, word: str) -> None:
        self._hash.update(f"{len(word)}:{word};".encode())


def hash_of_module(module: ModuleType) -> str:
    """A hash of a loaded module's functions, classes and constants."""
    code = LoadedCode()
    for name, value in sorted(vars(module).items()):
        is_own = getattr(value, "__module__", None) == module.__name__
        if is_own or (isinstance(value, _PLAIN) and not name.startswith("__")):
            code.add([name, value], module.__name__)
    return code.sha256


def differs(module: ModuleType, source: SourceFile) -> bool:
    """Whether the file of a loaded module was changed after the import."""
    if source.tree is None:
        return False
    functions = (inspect.unwrap(function) for function in _functions(vars(module), module.__name__))
    own = (function for function in functions if function.__code__.co_filename == module.__file__)
    if any(function.__code__ not in source.code for function in own):
        return True
    return any(_differs(vars(module), path, value) for path, value in _constants(source.tree))


def _functions(entries: Mapping[str, Any], home: str) -> Iterator[FunctionType]:
    for value in entries.values():
        for part in [value, *_parts(value)]:
            if getattr(part, "__module__", None) == home and isinstance(part, FunctionType):
                yield part
            elif isinstance(part, type) and part.__module__ == home:
                yield from _functions(vars(part), home)


def _parts(value: Any) -> list[Any]:
    """The functions of a descriptor or a partial."""
    if isinstance(value, staticmethod | classmethod):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget, value.fset]
    if isinstance(value, cached_property):
        return [value.func]
    return [value.func, value.args, value.keywords] if isinstance(value, partial) else []


def _names(code: CodeType) -> set[str]:
    """Global names and attributes that code uses."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _constants(tree: ast.Module) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Immutable literals by the names that they are assigned to, except names that the code assigns again."""
    nodes = list(ast.walk(tree))
    stored = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    changed = {name for name, count in stored.items() if count > 1}
    changed.update(name for node in nodes if isinstance(node, ast.Global) for name in node.names)
    changed.update(node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    for path, node in _assigned(tree.body, ()):
        if path[-1] not in changed and isinstance(value := _literal(node), (*_PLAIN, tuple)):
            yield path, value


def _assigned(body: list[ast.stmt], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], ast.expr]]:
    """Values that a module and its classes assign, and defaults of functions."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _assigned(node.body, (*path, node.name))
        elif isinstance(node, ast.FunctionDef) and node.args.defaults:
            yield (*path, node.name, "__defaults__"), ast.Tuple(node.args.defaults, ast.Load())
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield (*path, node.targets[0].id), node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield (*path, node.target.id), node.value


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return ...  # not a literal


def _differs(entries: Mapping[str, Any], path: tuple[str, ...], expected: Any) -> bool:
    name, *rest = path
    try:
        value = reduce(getattr, rest, entries[name])
    except (KeyError, AttributeError):
        return False  # deleted, or the attribute of a decorator
    return isinstance(value, type(expected)) and repr(value) != repr(expected)
