"""Early stopping, checkpoints, searches and comparisons follow the direction that each metric declares."""

from __future__ import annotations

import pytest
from full import only_full
from torch import Tensor

import recsys
from recsys import schema
from recsys.metrics.accuracy import NDCG
from recsys.metrics.base import QueryMetric
from recsys.metrics.ranked import RankedBatch
from recsys.reports.comparison import compare
from recsys.reports.findings import findings
from recsys.schema import ConfigError
from recsys.studies.runner import run_study
from recsys.studies.search_study import maximises
from recsys.tracking.store import Store

TINY = ["data=synthetic", "data.n_users=120", "data.n_items=60", "data.n_interactions=1500", "data.cold_user_share=0"]
QUICK = ["features.dim=8", "batches.batch_size=512", "trainer.enable_progress_bar=false", "logger=none"]
OWN = f"+metrics.metrics.own={{_target_: {__name__}.%s, _partial_: true}}"
LOWER = ["gini@10", "average_popularity@10", "own@10"]
VALIDATED = "metrics.val=[ndcg@10,gini@10,average_popularity@10,own@10]"


class MissedGain(NDCG):
    """1 - nDCG: lower is better."""

    higher_is_better = False

    def measure(self, batch: RankedBatch, k: int | None) -> Tensor:  # type: ignore[override]
        return 1 - super().measure(batch, k)


class Unlimited(MissedGain):
    """A metric without limits."""

    plot_lower_bound = plot_upper_bound = None


class Undeclared(QueryMetric):
    """A metric without a direction."""

    def measure(self, batch: RankedBatch, k: int | None) -> Tensor:
        return batch.n_positives.float()


@pytest.fixture
def make(cache_dir, tmp_path):
    def made(*overrides, settings=(VALIDATED, OWN % "MissedGain")):
        paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / 'runs'}"]
        return recsys.run([*TINY, *QUICK, *settings, *paths, *overrides])

    return made


@pytest.mark.parametrize("metric", ["ndcg@10", "own@10", *(pytest.param(name, marks=only_full) for name in LOWER[:2])])
def test_the_epoch_that_is_best_in_the_metrics_direction_is_kept(metric, make):
    epochs = ["trainer.max_epochs=4", "callbacks.early_stopping.patience=4", "learning_rate=0.03"]
    record = make("encoder=none", "ranker=cf", *epochs, f"monitor=val/{metric}").record
    curve = [epoch[f"val/{metric}"] for epoch in record.curve]
    assert len(set(curve)) > 1
    best = min(curve) if metric in LOWER else max(curve)
    assert record.metrics[f"val/{metric}"] == pytest.approx(best, abs=1e-6)
    assert record.directions[metric] is (metric not in LOWER)


@pytest.mark.slow
def test_training_goes_on_while_a_metric_falls_whose_lower_values_are_better(make):
    settings = ["encoder=none", "ranker=cf", "trainer.max_epochs=4", "callbacks.early_stopping.patience=1"]
    curve = make(*settings, "learning_rate=0.03", "monitor=val/own@10").record.curve
    missed = [epoch["val/own@10"] for epoch in curve]
    assert missed == sorted(missed, reverse=True)
    assert len(missed) == 4  # with mode=max it stopped after the second epoch


@pytest.mark.slow
def test_a_search_minimises_what_is_better_when_lower(cache_dir, tmp_path):
    common = [*TINY, *QUICK, "trainer.max_epochs=2", VALIDATED, OWN % "MissedGain", "monitor=val/average_popularity@10"]
    cfg = recsys.compose(
        [
            "study=default",
            "study.name=low",
            f"study.common={common!r}",
            'study.cells={cf: ["encoder=none", "ranker=cf"]}',
            "study.space={optimizer.lr: {low: 0.0001, high: 0.1, log: true}}",
            "study.seeds=[0]",
            "search=random",
            "search.n_trials=3",
            f"paths.runs_dir={tmp_path}",
            f"paths.cache_dir={cache_dir}",
        ],
        "study",
    )
    study = run_study(cfg).record
    (cell,) = study.cells
    finished = [trial for trial in cell.trials if trial.state == "finished"]
    best = min(finished, key=lambda trial: trial.value)
    assert len({trial.value for trial in finished}) > 1
    assert float(cell.parameters["optimizer.lr"]) == pytest.approx(best.parameters["optimizer.lr"])
    assert study.higher_is_better is False


@pytest.mark.parametrize("metric", ["average_popularity@10", "own@10"])
def test_the_best_cell_is_that_with_the_lowest_value(metric, make, tmp_path):
    records = [make(f"ranker={ranker}").record for ranker in ("popularity", "random_scores")]
    found = compare(records, Store(tmp_path / "runs"), "random_scores", [metric, "ndcg@10"])
    values = {record.name: record.metrics[f"test/{metric}"] for record in records}
    assert found.best(metric) == found.rows[0].label == min(values, key=values.__getitem__)
    (sentence,) = findings(found)
    assert ("is significantly better than" in sentence) is (values["popularity"] < values["random_scores"])


def test_the_record_keeps_the_range_that_each_metric_declares(make):
    ranges = make("ranker=popularity", settings=[OWN % "Unlimited"]).record.ranges
    assert (ranges["ndcg@10"], ranges["auc"], ranges["coverage@10"]) == ([0.0, 1.0],) * 3
    assert (ranges["novelty@10"], ranges["average_popularity@10"]) == ([0.0, None],) * 2
    assert ranges["own@10"] == [None, None]


def test_an_own_metric_declares_its_direction(make):
    with pytest.raises(ConfigError, match=r"metrics\.metrics\.own: Undeclared does not declare its direction"):
        make("ranker=popularity", settings=[OWN % "Undeclared"])


def test_a_mode_against_the_metrics_direction_is_refused(make):
    cell = ["encoder=none", "ranker=cf", "monitor=val/gini@10"]
    with pytest.raises(ConfigError, match=r"callbacks\.checkpoint\.mode is 'max', but lower val/gini@10 is better"):
        make(*cell, "+callbacks.checkpoint.mode=max")


def test_a_search_maximises_by_default():
    cfg = recsys.compose()
    assert maximises(cfg)
    assert cfg.monitor.startswith(f"{schema.VAL}/")
