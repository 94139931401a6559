"""The notebooks of docs/notebooks run from top to bottom, in an empty folder (`make test-slow`)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
pytest.importorskip("nbclient")


@pytest.fixture(scope="module")
def notebooks():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import _notebooks

        yield _notebooks
    finally:
        sys.path.remove(str(ROOT / "docs"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, notebooks, tmp_path, monkeypatch, cache_dir):
    monkeypatch.setenv("RECSYS_CACHE", str(cache_dir))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = notebooks.execute(path, tmp_path)
    for cell in done.cells:
        if cell.cell_type == "code":
            assert not [output for output in cell.outputs if output.output_type == "error"]
    assert (tmp_path / "runs").is_dir()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_s_page_has_its_code_and_its_outputs(path, notebooks):
    page = notebooks.page(path)
    assert page.startswith("# ")
    assert "```python\n" in page
    assert "```text\n" in page
    assert page.count("```") % 2 == 0
