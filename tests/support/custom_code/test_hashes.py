from __future__ import annotations

import hashlib
import importlib
import sys
from types import ModuleType

import pytest

from recsys.support.custom_code import hashes
from recsys.support.custom_code.hashes import code_of_names, code_of_object

FILES = {
    "__init__.py": "from .encoder import Encoder\n",
    "encoder.py": "import json\nfrom own_parts.words import split\n\nclass Encoder:\n    dim = 3\n"
    "    def f(self, k=1):\n        return split(k)\n",
    "words.py": "SCALE = 2\n\ndef split(text):\n    return SCALE\n",
    "other.py": "x = 1\n",
}


@pytest.fixture(autouse=True)
def _committed(monkeypatch):
    """Whoever edits recsys while the tests run has other hashes; see test_checkout.py."""
    monkeypatch.setattr(hashes, "edited_files", frozenset)


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "own_parts"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "own_parts"]:
        del sys.modules[name]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_hash_is_that_of_the_file_and_of_what_it_imports(package):
    found = code_of_names(["own_parts.encoder.Encoder", "recsys.encoders.bert.BertEncoder", "torch.nn.Linear"])
    assert found == {f"own_parts.{name}": sha256(package / f"{name}.py") for name in ("encoder", "words")}
    assert "own_parts" not in sys.modules  # nothing was imported


def test_a_name_that_a_package_passes_on_is_followed(package):
    found = code_of_names(["own_parts.Encoder"])
    assert found.keys() == {"own_parts", "own_parts.encoder", "own_parts.words"}


def test_importing_changes_no_hash(package):
    before = code_of_names(["own_parts.encoder.Encoder"])
    importlib.import_module("own_parts.encoder")
    assert code_of_names(["own_parts.encoder.Encoder"]) == before


@pytest.mark.parametrize("name", ["nowhere.Encoder", "a/b.c", "", "os.path.join"])
def test_what_is_no_custom_module_has_no_hash(name):
    assert code_of_names([name]) == {}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("encoder.py", "dim = 3", "dim = 4"),
        ("encoder.py", "k=1", "k=2"),
        ("encoder.py", "split(k)", "split(-k)"),
        ("words.py", "SCALE = 2", "SCALE = -2"),
    ],
)
def test_code_that_is_loaded_counts_until_it_is_reloaded(package, file, old, new, caplog):
    name = f"own_parts.{file.removesuffix('.py')}"
    module = importlib.import_module("own_parts.encoder")
    first = code_of_names(["own_parts.encoder.Encoder"])
    path = package / file
    path.write_text(path.read_text().replace(old, new))
    loaded = code_of_names(["own_parts.encoder.Encoder"])
    assert loaded[name] not in (first[name], sha256(path))
    assert f"{path} was changed after it was imported" in caplog.text
    importlib.reload(sys.modules[name])
    importlib.reload(module)
    assert code_of_names(["own_parts.encoder.Encoder"])[name] == sha256(path)
    assert code_of_object(module.Encoder())[name] == sha256(path)


def test_a_counter_of_the_module_is_no_change_of_its_code(package):
    (package / "other.py").write_text("n_calls = 0\n\ndef call():\n    global n_calls\n    n_calls += 1\n")
    module = importlib.import_module("own_parts.other")
    module.call()
    assert code_of_names(["own_parts.other.call"]) == {"own_parts.other": sha256(package / "other.py")}


NOTEBOOK = """
ALPHA = 2
def helper(x):
    return ALPHA * x
class Encoder:
    def encode(self, texts):
        return helper(len(texts))
def unused():
    return 1
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("ALPHA = 2", "ALPHA = 3", False),
        ("ALPHA * x", "ALPHA + x", False),
        ("len(texts)", "-len(texts)", False),
        ("return 1", "return 2", True),
        ("\nALPHA", "\n\n# A comment\nALPHA", True),
    ],
)
def test_a_class_of_a_notebook_is_hashed_with_what_it_uses(monkeypatch, old, new, same):
    def hashed(text):
        module = ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", module)
        exec(text, vars(module))
        found = code_of_names(["__main__.Encoder"])
        assert found == code_of_object(module.Encoder())
        assert found.keys() == {"__main__.Encoder"}
        return found

    assert (hashed(NOTEBOOK) == hashed(NOTEBOOK.replace(old, new))) is same


def test_components_inside_a_component_count(package):
    from recsys.encoders.concat import ConcatEncoder
    from recsys.encoders.random import RandomEncoder

    part = type("Part", (RandomEncoder,), {"__module__": "own_parts.words"})(dim=2)
    assert code_of_object(ConcatEncoder({"a": ConcatEncoder({"b": part})})).keys() == {"own_parts.words"}
    assert code_of_object(ConcatEncoder({"a": RandomEncoder(dim=2)})) == {}
