"""The whole table of cells, with a study of cold items, killed twice. Long: make test-all."""

from __future__ import annotations

import time

from commands import Command
from full import only_full
from studies.answers.shop import SMALL, write_shop


def jobs(path) -> int:
    """Runs that have a record."""
    return len(list(path.glob("*/record.json")))


@only_full
def test_a_killed_answer_goes_on(tmp_path, cache_dir):
    store = tmp_path / "runs"
    arguments = [*write_shop(tmp_path), *SMALL, f"paths.runs_dir={store}", f"paths.cache_dir={cache_dir}"]
    arguments += ["minutes=0.5", "cold_items=true", "formats=[html,md]"]
    for wanted in (3, 8):
        command = Command("answer", *arguments, cwd=tmp_path)
        while jobs(store) < wanted:
            assert command.is_running()
            time.sleep(0.1)
        command.kill()
    finished = Command("answer", *arguments, cwd=tmp_path).finish(600)
    assert finished.returncode == 0, finished.stderr
    folder = next((store / "reports").glob("answer_shop_*"))
    assert (folder / "cold_items" / "report.html").is_file()
    assert "cold items" in (folder / "report.md").read_text()
