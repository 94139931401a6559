"""No text of a table is a formula where the table is opened."""

from __future__ import annotations

import io

import polars as pl
import pytest

from recsys.runs import export_table
from recsys.serving import output
from recsys.tracking.spreadsheet_safety import harmless, harmless_text

FORMULAS = ["=cmd|' /C calc'!A0", "+1+cmd", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1"]
HARMLESS = ["a=b", "1", "-0.5", "+3", "-1e-5", "-12%", "", "Alien", "[live]", "\u22120.5"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text):
    assert harmless_text(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_other_texts_stay(text):
    assert harmless_text(text) == text


def test_a_table_is_harmless_in_all_texts_and_headers():
    frame = pl.DataFrame({"=x": [*FORMULAS, *HARMLESS, None], "n": [-1] * (len(FORMULAS) + len(HARMLESS) + 1)})
    made = harmless(frame)
    assert made["'=x"].to_list() == [*(f"'{text}" for text in FORMULAS), *HARMLESS, None]
    assert made["n"].to_list() == frame["n"].to_list()


@pytest.mark.parametrize("to_bytes", [output.FILES[".parquet"], export_table._parquet])
def test_parquet_keeps_every_text(to_bytes):
    frame = pl.DataFrame({"item_id": FORMULAS})
    assert pl.read_parquet(io.BytesIO(to_bytes(frame)))["item_id"].to_list() == FORMULAS
