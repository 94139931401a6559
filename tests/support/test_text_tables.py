"""Tables show names on the left, numbers on the right, and every text as it is."""

from __future__ import annotations

import io

from rich.console import Console

from recsys.support.text_tables import add_row, text_table


def printed(table):
    console = Console(file=io.StringIO(), width=60)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_names_are_on_the_left_and_numbers_on_the_right():
    table = text_table(["name", "value", "state"], [["a", "1", "x"], ["bb", "10", "yy"]], words=["state"])
    assert [line.strip() for line in printed(table)[2:]] == ["a         1  x", "bb       10  yy"]


def test_texts_are_shown_literally():
    table = text_table(["[bold]name"], title="[red]title")
    add_row(table, ["[/x]"])
    assert [line.strip() for line in printed(table) if "─" not in line] == ["[red]title", "[bold]name", "[/x]"]
