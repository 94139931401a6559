"""Imports go one way; a part that reaches upwards, or sideways into another part, is a mistake."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "recsys"

# Each part may import itself and what stands to its right.
ALLOWED = {
    "schema": set(),
    "disk": {"schema"},
    "interruption": set(),
    "values": {"schema"},
    "signatures": {"schema", "values"},
    "custom_code": set(),
    "metrics": {"schema"},
    "language": {"schema", "disk"},
    "decomposition": set(),
    "encoders": {"schema", "decomposition", "language", "custom_code"},
    "layers": {"schema"},
    "profiles": {"schema", "layers"},
    "rankers": {"schema", "decomposition", "layers", "language"},
    "data": {"schema", "custom_code", "disk"},
    "tracking": {"schema", "disk", "trusted"},
    "finetuning": {"schema", "layers", "encoders"},
    "training": {"schema", "data", "encoders", "finetuning", "layers", "profiles", "rankers", "metrics"},
    "overrides": set(),
    "config_folders": set(),
    "config_errors": {"schema", "values"},
    "config_files": set(),
    "config_comments": set(),
    "config": {"schema", "signatures", "config_errors", "config_files", "config_folders", "values"},
    "built_once": {"config", "metrics"},
    "trusted": {"schema", "custom_code"},
    "combinations": {"schema", "config", "values"},
    "screen": set(),
    "reports": {"schema", "screen", "tracking"},
    "serving": {
        "schema",
        "screen",
        "data",
        "encoders",
        "layers",
        "profiles",
        "rankers",
        "metrics",
        "training",
        "tracking",
        "config",
        "workspace",
        "assembly",
        "runs",
    },
}
LIGHT = [
    "trusted",
    "screen",
    "custom_code",
    "schema",
    "config",
    "built_once",
    "commands",
    "config_comments",
    "disk",
    "interruption",
    "runs",
    "experiment",
    "workspace",
    "data",
    "tracking",
    "reports",
    "studies",
    "bookkeeping",
]
HEAVY = {"torch", "pytorch_lightning", "torchmetrics", "transformers", "sklearn", "scipy", "wandb"}


def modules(part: str) -> list[Path]:
    folder = PACKAGE / part
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{part}.py"]


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


def parts_of(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("recsys.")}


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_stands_below_it(part):
    for path in modules(part):
        extra = parts_of(imported(path)) - ALLOWED[part] - {part}
        assert not extra, f"{path.relative_to(PACKAGE)} imports {extra}"


@pytest.mark.parametrize("part", LIGHT)
def test_what_runs_before_the_configuration_is_checked_imports_nothing_heavy(part):
    for path in modules(part):
        heavy = {name.split(".")[0] for name in imported(path, top_level_only=True)} & HEAVY
        assert not heavy, f"{path.relative_to(PACKAGE)} imports {heavy} at module level"


@pytest.mark.parametrize("part", ["encoders", "finetuning", "profiles", "rankers"])
def test_no_code_names_a_concrete_component(part):
    concrete = {f"recsys.{part}.{path.stem}" for path in modules(part)} - {
        f"recsys.{part}.base",
        f"recsys.{part}.cache",
        "recsys.encoders.network",  # what every encoder that can be trained gives
    }
    outside = [path for path in PACKAGE.rglob("*.py") if path.parent.name != part]
    for path in outside:
        assert not imported(path) & concrete, f"{path.relative_to(PACKAGE)} imports a concrete component"
