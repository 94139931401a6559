"""Trained runs on a piece of real MovieLens, one for each way of scoring, made once."""

from __future__ import annotations

from functools import lru_cache

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
def served_of(run_of):
    """A run as it is served, by its overrides; made once."""
    return lru_cache(maxsize=None)(lambda *overrides: serve(run_of(*overrides)))


@pytest.fixture(scope="session")
def dot_run(run_of):
    return run_of("encoder=tfidf", "ranker=dot")


@pytest.fixture(scope="session")
def served(served_of):
    return served_of("encoder=tfidf", "ranker=dot")
