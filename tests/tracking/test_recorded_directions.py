from __future__ import annotations

from dataclasses import replace

import pytest

from recsys.schema import LOSS, RecsysError
from recsys.tracking.directions import higher_is_better
from recsys.tracking.record import Record

METRICS = {
    "ndcg": {"_target_": "recsys.metrics.accuracy.NDCG"},
    "gini": {"_target_": "recsys.metrics.exposure.Gini"},
    "gone": {"_target_": "a_package.that_is_gone.Metric"},
}
OLD = Record("r", "cf", {}, {"metrics": {"metrics": METRICS}}, [], 0, {})


def test_the_record_says_which_direction_is_better():
    record = replace(OLD, directions={"ndcg@10": False, "gini@10": True})
    assert [higher_is_better(record, name) for name in ("ndcg@10", "test/gini@10")] == [False, True]


def test_of_a_record_without_directions_the_class_is_asked():
    names = ("ndcg@10", "val/ndcg@5", "gini@10", "test/gini@10", LOSS)
    assert [higher_is_better(OLD, name) for name in names] == [True, True, False, False, False]


@pytest.mark.parametrize("name", ["gone@10", "unknown"])
def test_a_direction_that_nobody_declares_is_an_error(name):
    with pytest.raises(RecsysError, match="does not record whether higher"):
        higher_is_better(OLD, name)


def test_a_record_from_before_directions_is_read(tmp_path):
    import json

    path = tmp_path / "record.json"
    OLD.write(path)
    content = json.loads(path.read_text())
    del content["directions"]
    path.write_text(json.dumps(content))
    assert Record.read(path).directions == {}
