"""What a run says of how its encoder read the texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reports.made_runs import made_run

from recsys.reports.cells import Cell
from recsys.reports.comparison import compare
from recsys.reports.encoding import cell_warnings, coverage_lines, coverage_warnings
from recsys.reports.methods import methods
from recsys.tracking.record import Record
from recsys.tracking.store import Store

ITEMS = {"n_texts": 9000, "n_empty": 2, "n_duplicate": 7, "n_zero": 0, "dim": 8, "seconds": 3.0}
TOKENS = {"n_cut": 4, "tokens_mean": 12.34, "tokens_max": 300}


def test_counts_and_tokens_are_told():
    expected = "Texts of items: 9,000; 2 empty, 7 repeated, 4 cut; 12.3 tokens each, 300 at most; encoded in 3.0 s."
    assert coverage_lines({**ITEMS, **TOKENS}) == [expected]


def test_parts_and_users_are_told():
    parts = {"bert": TOKENS, "tfidf": {"n_without_known_word": 5}}
    users = {"test": {**ITEMS, **TOKENS, "n_read": 20, "n_nothing_known": 3}}
    items, tested = coverage_lines({**ITEMS, "parts": parts, "users": users})
    assert "2 empty, 7 repeated, 4 cut by bert, 5 without a known word by tfidf" in items
    assert tested.startswith("Texts of users in the test: 9,000; ")
    assert tested.endswith("3 of 20 reads are of the empty text.")


def test_the_likeness_of_8_bit_vectors_is_told():
    likeness = {"n_compared": 256, "cosine_mean": 0.9749, "cosine_min": 0.955, "neighbours_kept": 0.7348}
    (told,) = coverage_lines({**ITEMS, "likeness": likeness})
    assert "cosine 0.975 to float32 (0.955 at least), 73% of ten neighbours kept, among 256 texts" in told


def test_zeros_and_missing_texts_are_warned_of():
    assert coverage_warnings({**ITEMS, "n_empty": 0}) == []
    zeros, missing = coverage_warnings({**ITEMS, "n_zero": 1})
    assert zeros.startswith("1 text of items with a vector of zeros")
    assert missing.startswith("2 items without text")


def test_words_of_another_language_are_warned_of():
    read = {**ITEMS, "n_empty": 0, "n_texts": 260}
    assert coverage_warnings({**read, "n_with_unknown_word": 2}) == []
    (told,) = coverage_warnings({**read, "parts": {"bert": {"n_with_unknown_word": 70}, "tfidf": {}}})
    assert told.startswith("70 of 260 texts of items have words that the encoder's tokenizer does not know")
    assert (
        "70 with an unknown word by bert" in coverage_lines({**read, "parts": {"bert": {"n_with_unknown_word": 70}}})[0]
    )


def test_html_is_warned_of():
    read = {**ITEMS, "n_empty": 0, "n_texts": 260}
    assert coverage_warnings({**read, "n_with_html": 2}) == []
    (told,) = coverage_warnings({**read, "n_with_html": 3})
    assert told.startswith("3 of 260 texts of items have HTML such as <br> or &amp;, which the encoder reads as words")


def test_precomputed_vectors_have_no_warnings_about_texts():
    texts = {"n_empty": 5, "n_with_html": 9000, "provenance": {"model": "clip"}}
    assert coverage_warnings({**ITEMS, **texts}) == []
    joined = {**ITEMS, "n_empty": 5, "n_with_html": 9000}
    known, unread = {"provenance": {"model": "clip"}}, {"n_cut": 0}
    assert coverage_warnings({**joined, "parts": {"a": known, "b": known}}) == []
    assert len(coverage_warnings({**joined, "parts": {"a": known, "bert": unread}})) == 2
    (zeros,) = coverage_warnings({**ITEMS, **texts, "n_zero": 3})
    assert zeros == "3 items with a precomputed vector of zeros, which cannot be distinguished."


def test_items_with_the_mean_vector_are_warned_of():
    read = {**ITEMS, "provenance": {"model": "clip"}, "n_missing": 2}
    assert coverage_warnings({**read, "identity": {"missing": "drop"}}) == []
    (told,) = coverage_warnings({**read, "identity": {"missing": "mean"}})
    assert told == f"2 of {ITEMS['n_texts']:,} items have no vector; they all have the mean vector."
    parts = {"image": {**read, "identity": {"missing": "mean"}}}
    assert any("have no vector in image;" in one for one in coverage_warnings({**ITEMS, "parts": parts}))


@pytest.mark.parametrize(
    ("changes", "is_warned"),
    [
        ({}, True),
        ({"tuning": {"trials": 20}}, False),
        ({"overrides": ["ranker.text_weight=3"]}, False),
        ({"encoding": {"dim": 0}}, False),
        ({"config": {"ranker": {"text_weight": 1.0}}}, False),
    ],
)
def test_a_text_weight_that_nobody_chose_is_warned_of(changes, is_warned):
    record = Record("r", "bert+ease", {"ranker": "ease"}, {"ranker": {"text_weight": 100.0}}, [], 0, {})
    record = replace(record, **{"encoding": {**ITEMS, "n_empty": 0}, **changes})
    told = [one for one in cell_warnings([Cell("bert+ease", (record,))]) if "is the default" in one]
    assert bool(told) == is_warned
    assert not told or told[0].startswith("bert+ease: ranker.text_weight=100 is the default.")


def test_a_run_without_text_says_nothing():
    assert coverage_lines({**ITEMS, "dim": 0}) == coverage_lines({}) == []
    assert coverage_warnings({**ITEMS, "dim": 0}) == coverage_warnings({}) == []


def test_a_comparison_names_the_cells_of_unknown_vectors_and_its_methods_the_origin_of_known_ones(tmp_path):
    store, counts = Store(tmp_path), {"n_texts": 9, "n_empty": 0, "n_duplicate": 0, "dim": 4, "seconds": 0.1}
    origin = {"model": "clip", "revision": "r1", "made_from": "train", "made_at": "2026"}
    unknown, known = ({**counts, "provenance": found} for found in (None, origin))
    runs = [
        made_run(store, "a", "dot", 0, [0.5, 0.1], encoding=unknown),
        made_run(store, "b", "dot", 0, [0.5, 0.2], encoding=unknown),
        made_run(store, "c", "dot", 0, [0.3, 0.2], encoding=known),
    ]
    found = compare(runs, store, None, ["ndcg@10"])
    told = [each for each in found.warnings if "vectors" in each or "text" in each]
    assert set(told[0].partition(": ")[0].split(", ")) == {"a+dot", "b+dot"}
    assert told[0].partition(": ")[2].startswith("vectors: provenance unknown")
    assert told[1:] == []
    text = methods(found)
    assert "c+dot: precomputed vectors: model clip, revision r1, made from train, made at 2026." in text
    assert "vectors: provenance unknown." in text
