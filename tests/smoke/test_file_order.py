"""The order of the rows of the raw files changes no metric."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import recsys


@pytest.fixture(scope="module")
def shuffled_data(small_data, tmp_path_factory) -> list[str]:
    """The overrides of `small_data` with the rows of both files in another order."""
    folder = tmp_path_factory.mktemp("shuffled")
    (source,) = (Path(key.removeprefix("data.path=")) for key in small_data if key.startswith("data.path="))
    for name in ("movies.csv", "ratings.csv"):
        rows = pl.read_csv(source / name, infer_schema=False)
        rows.sample(fraction=1.0, shuffle=True, seed=1).write_csv(folder / name)
    return [f"data.path={folder}" if key.startswith("data.path=") else key for key in small_data]


@pytest.mark.slow
@pytest.mark.parametrize(
    "choice",
    [["ranker=popularity"], ["ranker=itemknn"], ["ranker=cf", "encoder=none"], ["encoder=tfidf", "ranker=dot"]],
    ids=lambda choice: " ".join(choice),
)
def test_metrics_are_the_same_bits(choice, small_data, shuffled_data, tmp_path):
    metrics = []
    for number, data in enumerate((small_data, shuffled_data)):
        folders = [f"paths.runs_dir={tmp_path}/runs{number}", f"paths.cache_dir={tmp_path}/cache{number}"]
        made = recsys.run([*data, *choice, *folders])
        metrics.append(made.record.metrics)
    assert metrics[0] == metrics[1]
