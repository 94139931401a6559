"""A small study on synthetic data, as a function of its overrides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

import recsys
from recsys.tracking.store import Store

TINY = ["data=synthetic", "data.n_users=120", "data.n_items=60", "data.n_interactions=1500", "data.cold_user_share=0"]
CELLS = '{cf: ["encoder=none", "ranker=cf"], text: ["encoder=tfidf", "encoder.n_components=8", "ranker=dot"]}'

UNTUNED = "study.space={ranker.half_life_days: null, ranker.window_days: null}"  # popularity has nothing to tune

StudyOf = Callable[..., DictConfig]


def overrides(store: Path, cache: Path, *further: str, cells: str = CELLS, knowledge: str = "train") -> list[str]:
    """Of a study of two cells and popularity, which is not tuned, two seeds, two epochs."""
    settings = ["trainer.max_epochs=2", "features.dim=8", "batches.batch_size=512", f"test_knowledge={knowledge}"]
    settings += ["trainer.enable_progress_bar=false", "logger=none"]
    return [
        "study=default",
        "study.name=tiny",
        f"study.common={json.dumps([*TINY, *settings])}",
        f"study.cells={cells}",
        'study.baselines=[["ranker=popularity"]]',
        "study.baseline=popularity",
        "study.seeds=[0,1]",
        "formats=[md]",
        f"paths.runs_dir={store}",
        f"paths.cache_dir={cache}",
        *([] if any(own.startswith("study.space") for own in further) else [UNTUNED]),
        *further,
    ]


@pytest.fixture
def study_of(tmp_path, cache_dir) -> StudyOf:
    """The configuration of the tiny study in a store of the test's own, or in `store`."""
    return maker(tmp_path / "runs", cache_dir)


def maker(default: Path, cache: Path) -> StudyOf:
    """A function of a study's overrides."""

    def make(*further: str, store: Path = default, cells: str = CELLS) -> DictConfig:
        return recsys.compose(overrides(store, cache, *further, cells=cells), "study")

    return make


def contents(store: Path) -> dict[str, tuple]:
    """All that a store's finished runs gave, by run: metrics, segments, curve, values per user."""
    runs = Store(store)
    return {
        record.run_id: (
            record.status,
            record.metrics,
            record.segments,
            record.curve,
            runs.per_user(record.run_id).fill_nan(None).to_dicts() if record.config["test"] else None,
        )
        for record in runs.records()
    }
