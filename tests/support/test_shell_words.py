"""Printed commands are read back by a shell."""

from __future__ import annotations

import shlex

from recsys.support.shell_words import command_line

WORDS = ["recsys", "a b", "it's", "x='{t}. {u}'", '"q"', "'$HOME'", "'`ls`'", "'a\\b'", "'!'", "", "[1,2]"]


def test_a_shell_reads_the_words_back():
    assert shlex.split(command_line(WORDS)) == WORDS


def test_single_quotes_are_within_double_quotes():
    assert command_line(["data.separator=';'"]) == "\"data.separator=';'\""
