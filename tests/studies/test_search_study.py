"""The key of a cell's search: what it depends on."""

from __future__ import annotations

import pytest
from omegaconf import DictConfig

from recsys.studies.plan import plan, space_of
from recsys.studies.search_study import search_key


def keys(cfg: DictConfig, *common: str) -> dict[str, str]:
    """Of the two tuned cells, by label, with further overrides for all of them, which replace equal keys."""
    given = {own.split("=")[0]: own for own in (*cfg.study.common, *common)}
    cfg.study.common = list(given.values())
    return {own.label: search_key(cfg, own, space_of(cfg, own)) for own in plan(cfg) if own.label != "popularity"}


@pytest.fixture
def searched(study_of):
    return lambda: study_of("search=tpe", "study.space={ranker.item_bias: {choice: [true, false]}}")


def test_one_search_serves_both_protocols(searched):
    assert keys(searched(), "test_knowledge=train") == keys(searched(), "test_knowledge=refit")


@pytest.mark.parametrize("setting", ["learning_rate=0.5", "split.user_k_core=2", "monitor=val/recall@10"])
def test_what_trials_depend_on_changes_the_search(searched, setting):
    before, after = keys(searched()), keys(searched(), setting)
    assert all(after[label] != before[label] for label in before)
