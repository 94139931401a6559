"""The notebooks of docs/notebooks: executed in an empty folder, and as pages of the site.

`python docs/_notebooks.py` executes all of them and keeps their outputs.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

NOTEBOOKS = Path(__file__).parent / "notebooks"
TIMEOUT_S = 600  # of one code cell, on a machine that is busy with other work


def execute(path: Path, folder: Path) -> Any:
    """Run all cells in a fresh kernel of this Python, with `folder` as its working directory.

    Returns:
        The notebook with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell raises an error.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=TIMEOUT_S, kernel_name="python3", resources=resources).execute()


def page(path: Path) -> str:
    """The notebook as markdown: code, and outputs as text, tables or markdown.

    Example:
        >>> print(_output({"output_type": "stream", "name": "stdout", "text": ["1\\n"]}))
        ```text
        1
        ```
    """
    cells = json.loads(path.read_text())["cells"]
    source = f"\n[Download this notebook]({path.name}){{ download }}\n"
    title, *rest = [_cell(cell) for cell in cells]
    return "\n\n".join([title, source, *rest]) + "\n"


def _cell(cell: dict[str, Any]) -> str:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return text
    outputs = [_output(output) for output in cell["outputs"] if output.get("name") != "stderr"]
    return "\n\n".join([f"```python\n{text}\n```", *filter(None, outputs)])


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "text/markdown" in data:
        return "".join(data["text/markdown"])
    text = "".join(output.get("text", data.get("text/plain", ""))).rstrip()
    return f"```text\n{text}\n```" if text else ""


def main() -> None:
    """Execute all notebooks and write their outputs, without times and counts that differ from run to run."""
    import nbformat

    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with TemporaryDirectory() as folder:
            notebook = execute(path, Path(folder))
        for cell in notebook.cells:
            cell.metadata.clear()
            if cell.cell_type == "code":
                cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        nbformat.write(notebook, path)
        print(path.name)


if __name__ == "__main__":
    main()
