"""The package stays small in its parts, and its numbers are in the docs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("structure", ROOT / "docs" / "_structure.py")
structure = importlib.util.module_from_spec(spec)
spec.loader.exec_module(structure)

BOUNDS = {
    "modules at the top of the package": 2,
    "import circles": 0,
    "arrows between packages": 107,
    "lines of the longest file": 300,
    "lines of the longest function, without its docstring": 65,
    "most parameters of a function": 8,
    "most parameters of a constructor, each a key of a yaml": 16,
}


@pytest.fixture(scope="module")
def measured():
    return structure.measure()


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDS)
def test_the_package_keeps_its_bounds(measured, name):
    value, place = measured[name]
    assert value <= BOUNDS[name], f"{name}: {value} of {place or 'the package'}"


def test_no_test_has_more_than_300_lines():
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "tests").rglob("*.py")}
    assert not {name: n for name, n in lengths.items() if n > 300}


@pytest.mark.slow
def test_the_docs_have_the_table(measured):
    page = structure.PAGE.read_text()
    shown = page.split(structure.BEGIN)[1].split(structure.END)[0]
    assert [line.split("|")[1].strip() for line in shown.strip().splitlines()[2:]] == list(measured)


def test_numbers_of_a_toy_package_by_hand(tmp_path):
    package = tmp_path / "toy"
    files = {
        "__init__.py": "",
        "schema.py": "NAME = 1\n",
        "one/__init__.py": "",
        "one/a.py": "from toy.one import b\nfrom toy.two.c import f\nfrom toy.schema import NAME\n",
        "one/b.py": "import toy.one.a\n",
        "two/__init__.py": "",
        "two/c.py": 'def f(self, a, *, b):\n    """Two\n    lines."""\n    return a\n\n\nclass C:\n'
        "    def __init__(self, d): ...\n",
    }
    for name, content in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(content)
    found = {name: value for name, (value, _) in structure.measure(package).items()}
    assert found == {
        "modules at the top of the package": 2,
        "packages": 2,
        "modules": 7,
        "lines": 13,
        "import circles": 1,
        "arrows between packages": 2,
        "lines of the longest file": 8,
        "lines of the longest function, without its docstring": 2,
        "most parameters of a function": 2,
        "most parameters of a constructor, each a key of a yaml": 1,
    }
