"""A run whose ranker asks a server: its record and its budget have the calls of validation and test."""

from __future__ import annotations

import pytest
from encoders.embedding_server import serving

import recsys
from recsys.language_models.label_endpoint import LabelEndpoint
from recsys.language_models.token_budget import BudgetError
from recsys.schema import REFIT, TRAIN_ONLY

LIMITS = ["trainer.limit_val_batches=1", "trainer.limit_test_batches=1", "batches.max_scores=900"]


@pytest.fixture
def server():
    with serving() as made:
        yield made


def make(server, small_data, tmp_path, knowledge, *further):
    node = "ranker.language_model"
    asked = ["ranker=prompt", "ranker.score=letters", "ranker.top_n=4", f"ranking_model@{node}=endpoint"]
    asked += [f"{node}.url={server.url}", f"{node}.model=stub", "ranker.n_diagnostic_users=0", *LIMITS]
    paths = [f"paths.{name}_dir={tmp_path / name}" for name in ("cache", "runs")]
    return recsys.run([*small_data, *asked, *paths, f"test_knowledge={knowledge}", *further])


@pytest.mark.parametrize("knowledge", [TRAIN_ONLY, REFIT])
def test_the_record_has_all_calls_of_a_run_that_measures_no_biases(server, small_data, tmp_path, knowledge):
    calls = make(server, small_data, tmp_path, knowledge).record.ranking["calls"]
    assert calls["calls"] == sum(server.texts.values()) > 0
    assert calls["completion_tokens"] == calls["calls"]


def test_the_budget_is_that_of_validation_and_test_together(server, small_data, tmp_path):
    node = "ranker.language_model"
    calls = make(server, small_data, tmp_path, REFIT).record.ranking["calls"]
    largest = max(LabelEndpoint(server.url, "stub").count_tokens([prompt]) for prompt in server.texts) + 1
    enough_for_half = largest + (calls["prompt_tokens"] + calls["completion_tokens"]) // 2
    settings = [f"{node}.budget.max_tokens={enough_for_half}", f"{node}.n_concurrent=1"]
    make(server, small_data, tmp_path / "half", TRAIN_ONLY, *settings)
    with pytest.raises(BudgetError, match=r"budget\.max_tokens"):
        make(server, small_data, tmp_path / "both", REFIT, *settings)
