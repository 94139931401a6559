"""Files of JSON lines in which a line holds a list of interactions."""

from __future__ import annotations

import json

from recsys.data.sources.json_lines import JsonLinesTable
from recsys.data.sources.raw import RawFile


def test_places_are_the_lines_of_rows_after_an_empty_list(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [{"seen": [{"item": "x"}, {"item": "y"}]}, {"seen": []}, {"seen": [{"item": "z"}]}]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    table = JsonLinesTable(RawFile(path), tmp_path, nested="seen")
    assert table.collect(table.frame)["item"].to_list() == ["x", "y", "z"]
    assert table.places([0, 1, 2]) == [f"{path}:1", f"{path}:1", f"{path}:3"]
