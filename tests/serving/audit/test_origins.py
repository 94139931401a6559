"""A leak of each kind of file is planted in its provenance, and found; without one it is clean."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from planted import clean

from recsys.data.written_texts import WrittenTexts
from recsys.serving.audit.written import written_origins
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_MEASURED, IS_NOT_CHECKED, IS_UNKNOWN
from recsys.tracking.origins import origins
from recsys.tracking.ranking_biases import ranking_biases
from recsys.tracking.record import Record

BEGINS = datetime(2020, 1, 1, tzinfo=UTC)


def record(**changes):
    return Record("a", "one", {"ranker": "prompt"}, {}, [], 3, {}, **changes)


@pytest.mark.parametrize("field", ["encoding", "outside"])
@pytest.mark.parametrize(
    ("provenance", "status"),
    [
        ({"fitted_on": "train"}, IS_CLEAN),
        ({"fitted_on": "train and test"}, IS_FOUND),
        ({"fitted_on": "train", "until": "2020-02-01"}, IS_FOUND),  # such as popularity made from later data
    ],
)
def test_vectors_and_candidate_lists(field, provenance, status):
    (found,) = origins(record(**{field: {"provenance": provenance}}), BEGINS)
    assert found.status == status


@pytest.mark.parametrize(
    ("about", "provenance", "status"),
    [
        ("items", {"interactions_read": "none"}, IS_CLEAN),
        ("items", {}, IS_FOUND),
        ("users", {"interactions_read": "train", "split_fingerprint": "00"}, IS_CLEAN),
        ("users", {"interactions_read": "all", "split_fingerprint": "00"}, IS_FOUND),
        ("users", {"interactions_read": "train", "split_fingerprint": "11"}, IS_FOUND),
    ],
)
def test_written_texts(about, provenance, status):
    texts = WrittenTexts(Path("texts.parquet"), about, pl.DataFrame(), {"model": "llm", **provenance}, "ab")
    origin, writer = written_origins([texts], clean())
    assert (origin.status, origin.check) == (status, f"origin of texts written about {about}")
    assert writer.status == IS_UNKNOWN
    assert "llm" in writer.text


def test_the_biases_of_a_prompt_ranker():
    measured = {"n_users": 5, "candidates_mean": 6.0, "rank_correlation": {"train_popularity": 0.5, "other": -1.0}}
    found = ranking_biases(record(ranking=measured))
    assert [(each.check, each.status, each.numbers) for each in found] == [
        ("train popularity", IS_MEASURED, {"correlation": 0.5}),
        ("other", IS_MEASURED, {"correlation": -1.0}),
    ]
    assert ranking_biases(record())[0].status == IS_NOT_CHECKED
    assert ranking_biases(Record("a", "dot", {"ranker": "dot"}, {}, [], 3, {})) == []
