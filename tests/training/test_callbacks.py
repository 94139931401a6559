from __future__ import annotations

import pytest

from recsys.schema import ConfigError
from recsys.training.callbacks import with_mode

STOPPING = "pytorch_lightning.callbacks.EarlyStopping"
DIRECTIONS = {"ndcg@10": True, "gini@10": False}


@pytest.mark.parametrize(("monitor", "mode"), [("val/ndcg@10", "max"), ("val/gini@10", "min"), ("train/loss", "min")])
def test_the_mode_is_the_metrics_direction(monitor, mode):
    settings = {"_target_": STOPPING, "monitor": monitor, "patience": 3}
    assert with_mode("callbacks.x", settings, DIRECTIONS) == {**settings, "mode": mode}
    assert with_mode("callbacks.x", {**settings, "mode": mode}, DIRECTIONS)["mode"] == mode
    other = {"max": "min", "min": "max"}[mode]
    with pytest.raises(ConfigError, match=rf"callbacks\.x\.mode is '{other}'"):
        with_mode("callbacks.x", {**settings, "mode": other}, DIRECTIONS)


def test_a_metric_of_a_callbacks_own_needs_a_mode():
    settings = {"_target_": STOPPING, "monitor": "my/value"}
    with pytest.raises(ConfigError, match="direction is unknown"):
        with_mode("callbacks.x", settings, DIRECTIONS)
    assert with_mode("callbacks.x", {**settings, "mode": "min"}, DIRECTIONS)["mode"] == "min"


@pytest.mark.parametrize(
    "settings",
    [
        {"_target_": "pytorch_lightning.callbacks.ModelCheckpoint", "monitor": None},
        {"_target_": "pytorch_lightning.callbacks.ModelSummary"},
        {"_target_": "recsys.training.pruning.Pruning", "monitor": "val/gini@10"},
    ],
)
def test_callbacks_that_monitor_nothing_or_take_no_mode_stay_as_they_are(settings):
    assert with_mode("callbacks.x", settings, DIRECTIONS) == settings
