"""Print the structure of the package: sizes, imports between its parts, and circles.

python docs/_structure.py            prints a table of markdown
python docs/_structure.py --write    writes it into docs/explanation/architecture.md
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "recsys"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
BEGIN, END = "<!-- structure: begin -->", "<!-- structure: end -->"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Files of a package by module name."""
    paths = sorted(package.rglob("*.py"))
    return {".".join(path.relative_to(package.parent).with_suffix("").parts): path for path in paths}


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """Modules of the package that a module imports, anywhere in its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {each for each in found if each in known} - {name}


def part_of(module: str) -> str:
    """The part of the package that a module belongs to.

    Example:
        >>> part_of("recsys.rankers.base"), part_of("recsys.schema")
        ('rankers', 'schema')
    """
    return module.split(".")[1]


def functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, lines of code without the docstring, and parameters (without self and cls) of each function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            given = node.args
            names = [each.arg for each in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
            first = node.body[0]
            has_doc = ast.get_docstring(node, clean=False) is not None
            documented = (first.end_lineno or 0) - first.lineno + 1 if has_doc else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - documented, len(set(names) - {"self", "cls"})


def circles(graph: dict[str, set[str]]) -> int:
    """How many edges must be removed until no circle is left; 0 where there is none."""
    graph, n = {name: set(targets) for name, targets in graph.items()}, 0
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            needed, needing = error.args[1][:2]
            graph[needing].discard(needed)
            n += 1
        else:
            return n


def measure(package: Path = PACKAGE) -> dict[str, tuple[int, str]]:
    """Each number with the place that it is of."""
    known = modules(package)
    graph = {name: imports(name, path, known) for name, path in known.items()}
    top = [path.stem for path in package.glob("*.py") if path.stem != "__main__"]
    arrows = {(part_of(name), part_of(other)) for name in graph for other in graph[name] if name.count(".") > 1}
    arrows = {(one, other) for one, other in arrows if one != other and other != "__init__"}
    lengths = {name: len(path.read_text().splitlines()) for name, path in known.items()}
    longest = max(lengths, key=lambda name: lengths[name])
    every = [(name, *found) for name, path in known.items() for found in functions(path)]
    code = max(every, key=lambda one: one[2])
    wide = max((one for one in every if one[1] != "__init__"), key=lambda one: one[3])
    constructor = max((one for one in every if one[1] == "__init__"), key=lambda one: one[3])
    return {
        "modules at the top of the package": (len(top), ", ".join(sorted(top))),
        "packages": (len({part_of(name) for name in known if name.count(".") > 1}), ""),
        "modules": (len(known), ""),
        "lines": (sum(lengths.values()), ""),
        "import circles": (circles({name: targets for name, targets in graph.items() if name.count(".")}), ""),
        "arrows between packages": (len(arrows), ""),
        "lines of the longest file": (lengths[longest], longest),
        "lines of the longest function, without its docstring": (code[2], f"{code[0]}.{code[1]}"),
        "most parameters of a function": (wide[3], f"{wide[0]}.{wide[1]}"),
        "most parameters of a constructor, each a key of a yaml": (constructor[3], constructor[0]),
    }


def table(measured: dict[str, tuple[int, str]]) -> str:
    """The numbers as a table of markdown."""
    rows = [f"| {name} | {value:,} | {f'`{place}`' if place else ''} |" for name, (value, place) in measured.items()]
    return "\n".join(["| | number | where |", "| --- | ---: | --- |", *rows])


def with_table(page: str, made: str) -> str:
    """A page with the table between its marks."""
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{made}\n{END}", page, flags=re.DOTALL)


def main(arguments: list[str]) -> None:
    """Print the table, or write it into the page."""
    made = table(measure())
    print(made)
    if "--write" in arguments:
        PAGE.write_text(with_table(PAGE.read_text(), made))


if __name__ == "__main__":
    main(sys.argv[1:])
