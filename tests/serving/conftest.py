"""Trained runs on a piece of real MovieLens, one for each way of scoring, made once."""

from __future__ import annotations

import pytest

import recsys
from recsys.serving.model import serve

FITTED = ["test_knowledge=refit", "trainer.max_epochs=3"]  # what is served by default


@pytest.fixture(scope="session")
def run_of(small_data, cache_dir, tmp_path_factory):
    """A finished run by its overrides."""
    store = tmp_path_factory.mktemp("served")

    def make(*overrides: str):
        return recsys.run([*small_data, *FITTED, *overrides, f"paths.cache_dir={cache_dir}", f"paths.runs_dir={store}"])

    return make


@pytest.fixture(scope="session")
def dot_run(run_of):
    return run_of("encoder=tfidf", "ranker=dot")


@pytest.fixture(scope="session")
def served(dot_run):
    return serve(dot_run)
