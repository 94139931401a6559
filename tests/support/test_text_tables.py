"""Tables of the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from recsys.support.text_tables import TextTable

HEADERS = ["cell", "nDCG@10", "seed sd", "p (Holm)"]
ROWS = [["bert+cf (share=0.5)", "0.1249 [0.1132,0.1358]", "0.0057", "0.0016*"], ["popularity", "0.0829", "0.0000", "–"]]


def shown(width: int, **settings) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(TextTable(HEADERS, ROWS, **settings))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_wide_terminal_shows_each_row_on_one_line():
    lines = shown(100, optional=["seed sd"], title="a title")
    assert lines[0] == "a title"
    assert lines[1].split() == ["cell", "nDCG@10", "seed", "sd", "p", "(Holm)"]
    assert lines[3].split() == ["bert+cf", "(share=0.5)", "0.1249", "[0.1132,0.1358]", "0.0057", "0.0016*"]


@pytest.mark.parametrize("width", range(44, 60))
def test_no_number_and_no_word_is_cut_and_no_line_is_too_long(width):
    lines = shown(width, optional=["seed sd"])
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width
    for word in ("bert+cf", "(share=0.5)", "[0.1132,0.1358]", "0.0016*", "popularity", "(Holm)"):
        assert word in text


def test_a_narrow_terminal_names_the_columns_that_it_leaves_out():
    lines = shown(44, optional=["seed sd", "p (Holm)"])
    assert "Left out at this width: seed sd." in lines
    assert "sd" not in lines[0]
    assert lines[2].split() == ["bert+cf", "0.1249", "0.0016*"]
    assert lines[3].split() == ["(share=0.5)", "[0.1132,0.1358]"]


def test_words_of_the_first_column_are_cut_last():
    lines = shown(20, optional=["seed sd", "p (Holm)"])
    assert "[0.1132,0.1358]" in "\n".join(lines)
    assert max(map(len, lines[:-2])) <= 20


def test_columns_of_words_stand_to_the_left():
    console = Console(file=io.StringIO(), width=60)
    console.print(TextTable(["a", "b"], [["x", Text("left")], ["y", "leftmost"]], words=["b"]))
    assert console.file.getvalue().splitlines()[2].rstrip() == "x  left"


def test_texts_are_shown_literally():
    table = TextTable(["[bold]name"], title="[red]title")
    table.add("[/x]")
    console = Console(file=io.StringIO(), width=60)
    console.print(table)
    lines = [line.strip() for line in console.file.getvalue().splitlines()]
    assert [line for line in lines if line and "─" not in line] == ["[red]title", "[bold]name", "[/x]"]


def test_a_long_path_is_broken_and_the_names_beside_it_are_not():
    console = Console(file=io.StringIO(), width=40)
    console.print(TextTable(["key", ""], [["commit", "a" * 60], ["a longer key", "1"]], words=[""]))
    lines = console.file.getvalue().splitlines()
    assert "commit" in lines[2]
    assert sum(line.count("a") for line in lines[2:5]) >= 60
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize("width", [24, 30, 60])
def test_a_ruled_table_separates_its_columns_and_keeps_to_the_width(width):
    console = Console(file=io.StringIO(), width=width)
    console.print(TextTable(["part", "users"], [["train", "671"], ["test", "90"]], is_ruled=True))
    lines = console.file.getvalue().splitlines()
    assert " train │   671 " in lines
    assert max(map(len, lines)) <= width
