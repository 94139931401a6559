"""Source files of modules outside the package, and the modules that these import; found without importing them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType

# Installed packages that components come from. Records keep their versions.
LIBRARIES = {"recsys", "hydra", "omegaconf", "torch", "pytorch_lightning", "lightning", "lightning_fabric"}
LIBRARIES |= {"torchmetrics", "transformers", "tokenizers", "numpy", "scipy", "sklearn", "polars", "optuna", "wandb"}
INSTALLED = {"site-packages", "dist-packages"}


@dataclass(frozen=True)
class SourceFile:
    """A module's file.

    Attributes:
        sha256: Of its bytes.
        tree: Its syntax tree; None for a file that is not Python source.
        code: The code objects of all functions and classes in it.
    """

    sha256: str
    tree: ast.Module | None
    code: frozenset[CodeType]


def is_custom(module: str) -> bool:
    """Whether a module belongs neither to recsys, nor to a known library, nor to Python itself.

    Example:
        >>> is_custom("my_package.encoders"), is_custom("recsys.encoders.bert"), is_custom("torch.optim")
        (True, False, False)
    """
    top = module.partition(".")[0]
    return top not in LIBRARIES and top not in sys.stdlib_module_names


def module_of(name: str) -> str | None:
    """The module of a dotted name: its longest prefix that is a module; None if there is none.

    Example:
        >>> module_of("recsys.encoders.bert.BertEncoder")
        'recsys.encoders.bert'
    """
    parts = name.split(".")
    if not all(map(str.isidentifier, parts)):
        return None
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in sys.modules or _spec(prefix) is not None), None)


def find_file(module: str) -> Path | None:
    """The file of a module, imported or not; None if it has none."""
    origin = getattr(sys.modules.get(module), "__file__", None)
    if origin is None:
        spec = _spec(module)
        origin = spec.origin if spec is not None and spec.has_location else None
    return None if origin is None or not Path(origin).is_file() else Path(origin)


def read(path: Path) -> SourceFile:
    """A module's file, read again only if it has changed."""
    state = path.stat()
    return _read(path, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def imported(module: str, path: Path) -> set[str]:
    """Custom modules that a module imports: those of its own package, and others that are not installed."""
    names = {name for name in all_imported(module, path) if is_custom(name)}
    return {name for name in names if _is_followed(name, module.partition(".")[0])}


def all_imported(module: str, path: Path) -> set[str]:
    """Dotted names that a module imports and that may be modules."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return _imported_names(read(path).tree, package)


def _is_followed(name: str, top: str) -> bool:
    path = find_file(name)
    return path is not None and (name.partition(".")[0] == top or not INSTALLED & set(path.parts))


def _spec(module: str) -> ModuleSpec | None:
    """The spec of a module, found without importing its parent packages."""
    name, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(name) if name else None
    except (ImportError, ValueError):  # as of __main__
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


@lru_cache(maxsize=512)
def _read(path: Path, *state: int) -> SourceFile:  # noqa: ARG001 (a changed file is another entry)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        tree = ast.parse(content) if path.suffix == ".py" else None
        code = frozenset() if tree is None else frozenset(_inner(compile(content, path, "exec", dont_inherit=True)))
    except (SyntaxError, ValueError):
        return SourceFile(sha256, None, frozenset())
    return SourceFile(sha256, tree, code)


def _inner(code: CodeType) -> set[CodeType]:
    found = {constant for constant in code.co_consts if isinstance(constant, CodeType)}
    return found.union(*map(_inner, found))


def _imported_names(tree: ast.Module | None, package: str) -> set[str]:
    """Dotted names that may be modules."""
    names: set[str] = set()
    for node in [] if tree is None else ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [base, node.module]))
            names.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return names - {""}
