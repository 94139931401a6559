"""Imports go one way; a part that reaches upwards, or sideways into another part, is a mistake."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "recsys"

# Every part of the package, from the lowest to the highest, with the parts that it may import beside itself.
ALLOWED = {
    "schema": set(),
    "support": {"schema"},
    "config": {"schema", "support"},
    "metrics": {"schema", "support"},
    "layers": {"schema", "support"},
    "optim": {"schema", "support", "layers"},
    "language_models": {"schema", "support"},
    "encoders": {"schema", "support", "language_models"},
    "profiles": {"schema", "support", "layers"},
    "rankers": {"schema", "support", "layers", "language_models"},
    "data": {"schema", "support"},
    "tracking": {"schema", "support", "config"},
    "finetuning": {"schema", "support", "layers", "encoders"},
    "features": {"schema", "support", "layers", "finetuning"},
    "training": {
        *("schema", "data", "encoders", "features", "finetuning", "layers", "metrics", "optim", "profiles", "rankers"),
        *("support", "tracking"),
    },
    "experiment": {
        *("schema", "support", "config", "data", "encoders", "finetuning", "language_models", "metrics", "rankers"),
        *("tracking", "training"),
    },
    "reports": {"schema", "support", "tracking"},
    "runs": {"schema", "support", "config", "experiment", "reports", "tracking"},
    "studies": {"schema", "support", "config", "data", "experiment", "reports", "tracking", "training"},
    "serving": {
        *("schema", "support", "config", "data", "encoders", "layers", "metrics", "profiles", "rankers", "tracking"),
        *("training", "experiment", "reports"),
    },
    "api": {
        *("schema", "support", "config", "data", "experiment", "reports", "serving", "studies", "tracking"),
    },
    "testing": {"schema", "data", "encoders", "metrics", "profiles", "rankers", "training"},
    "commands": {
        *("schema", "support", "config", "data", "encoders", "experiment", "reports", "runs", "serving", "studies"),
        *("tracking", "training"),
    },
}
ALONE = {"__init__", "__main__", "schema"}  # modules at the top of the package
# Parts that load while a configuration is checked, and so import nothing heavy at module level.
LIGHT = ["schema", "support", "config", "api", "commands", "data", "tracking", "reports", "studies", "runs"]
LIGHT += ["experiment.finished", "experiment.run", "experiment.inputs"]
HEAVY = {"torch", "pytorch_lightning", "torchmetrics", "transformers", "sklearn", "scipy", "wandb"}
# Packages of components, whose modules are called as their yamls are.
COMPONENTS = {"encoders", "features", "finetuning", "profiles", "rankers"}
SHARED = {  # of these packages, what is no component
    *(f"recsys.{part}.base" for part in COMPONENTS),
    "recsys.encoders.vector_cache",
    "recsys.encoders.vector_objects",
    "recsys.encoders.network",
    "recsys.encoders.upper_layers",
    "recsys.features.item_features",
}


def name_of(path: Path) -> str:
    parts = ["recsys", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def part_of(module: str) -> str:
    """The part that a module belongs to; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


@cache
def nodes(module: str, top_level_only: bool = False) -> list[ast.AST]:
    tree = ast.parse(MODULES[module].read_text())
    return list(tree.body if top_level_only else ast.walk(tree))


@cache
def imported(module: str, top_level_only: bool = False) -> frozenset[str]:
    """Modules that a module imports, wherever in it; of `from recsys import __version__` none."""
    names = set()
    for node in nodes(module, top_level_only):
        if isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names if alias.name != "__version__"}
            names |= {name if name in MODULES else name.rpartition(".")[0] for name in full}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return frozenset(names - {module})


def test_every_part_of_the_package_is_listed():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert modules == ALONE
    assert folders <= ALLOWED.keys(), f"say in ALLOWED what {folders - ALLOWED.keys()} may import"
    assert ALLOWED.keys() - folders <= {"schema"}, "a part that is listed is gone"


def test_what_is_allowed_is_without_a_circle():
    assert list(TopologicalSorter(ALLOWED).static_order())


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_stands_below_it(part):
    for module in MODULES:
        if part_of(module) == part:
            own = {name for name in imported(module) if name.split(".")[0] == "recsys"}
            # Only commands, which are above everything, use the package as its users do.
            extra = {part_of(name) for name in own} - ALLOWED[part] - {part} - ({""} if part == "commands" else set())
            assert not extra, f"{module} imports {extra or 'the package itself'}"


def test_no_module_imports_itself_through_others():
    graph = {module: imported(module) & MODULES.keys() for module in MODULES if module != "recsys"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.slow
@pytest.mark.parametrize("light", LIGHT)
def test_what_runs_before_the_configuration_is_checked_imports_nothing_heavy(light):
    for module in MODULES:
        if f"{module}.".startswith(f"recsys.{light}."):
            heavy = {name.split(".")[0] for name in imported(module, top_level_only=True)} & HEAVY
            assert not heavy, f"{module} imports {heavy} at module level"


@pytest.mark.slow
def test_private_names_of_hydra_are_used_in_one_module():
    """Which says why each is needed, and is what a new release of Hydra may break."""
    private = {
        module
        for module in MODULES
        for node in nodes(module)
        if isinstance(node, ast.ImportFrom | ast.Import) and "hydra._" in ast.unparse(node)
    }
    assert private == {"recsys.config.hydra_internals"}


@pytest.mark.parametrize("part", sorted(COMPONENTS))
def test_no_code_names_a_concrete_component(part):
    concrete = {module for module in MODULES if part_of(module) == part} - SHARED - {f"recsys.{part}"}
    for module in MODULES:
        if part_of(module) != part:
            assert not imported(module) & concrete, f"{module} imports a concrete component"


@pytest.mark.slow
def test_no_two_classes_have_one_name():
    found = [
        (node.name, module) for module in MODULES for node in nodes(module, True) if isinstance(node, ast.ClassDef)
    ]
    count = Counter(name for name, _ in found if not name.startswith("_"))
    assert not [entry for entry in found if count[entry[0]] > 1]


def test_no_two_modules_have_one_name():
    # A component's module is called as its yaml is, a plot's as what it draws, a command's as one types it.
    named = {"__init__", "base"}
    found = [
        (path.stem, module)
        for module, path in MODULES.items()
        if path.stem not in named
        and part_of(module) not in {*COMPONENTS, "commands"}
        and ".plots." not in module
        and ".launchers." not in module
        and ".splits." not in module
    ]
    count = Counter(stem for stem, _ in found)
    assert not [entry for entry in found if count[entry[0]] > 1]


def test_no_two_test_modules_have_one_name():
    """Test folders are no packages, so pytest cannot import two modules of one name."""
    count = Counter(path.stem for path in Path(__file__).parent.rglob("*.py") if path.stem != "conftest")
    assert [stem for stem, n in count.items() if n > 1] == []


@pytest.mark.slow
def test_no_two_constants_that_others_import_have_one_name():
    """Where one of the values is another. A constant of one module alone is its own matter."""
    used = {
        (node.module, alias.name)
        for module in MODULES
        for node in nodes(module)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.name.isupper()
    }
    defined = {(module, name) for module in MODULES for name in constants(module)} & used
    count = Counter(name for _, name in defined)
    assert not sorted((name, module) for module, name in defined if count[name] > 1)


def constants(module: str) -> set[str]:
    """Names in capitals that a module defines."""
    assigned = [node for node in nodes(module, top_level_only=True) if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [
        target for node in assigned for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    names = [name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return {name.id for name in names if name.id.isupper()}
