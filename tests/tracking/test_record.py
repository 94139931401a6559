from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.schema import RecordError, RecsysError
from recsys.tracking import environment
from recsys.tracking.record import Record, canonical_json


@pytest.fixture
def record():
    return Record(
        run_id="0123456789ab",
        name="bert+dot",
        choices={"encoder": "bert", "ranker": "dot"},
        config={"seed": 3, "learning_rate": 1e-3, "encoder": {"pooling": "mean"}},
        overrides=["encoder=bert", "seed=3"],
        seed=3,
        protocol={"data": "toy", "split": {"name": "random"}},
        times={"fit": 1.5},
        metrics={"test/ndcg@10": 1 / 3, "test/auc": math.nan},
        segments={"items=cold": {"ndcg@10": math.nan, "n_queries": 0.0}},
    )


def test_what_is_written_is_read(record, tmp_path):
    record = replace(record, metrics={"test/ndcg@10": 1 / 3})
    record.write(tmp_path / "record.json")
    found = Record.read(tmp_path / "record.json")
    assert replace(found, segments={}) == replace(record, segments={})
    assert math.isnan(found.segments["items=cold"]["ndcg@10"])
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]  # no temporary file is left


def test_json_is_strict(record, tmp_path):
    odd = replace(record, config={"inf": math.inf, "path": Path("a"), "array": np.float32(0.5), 3: [np.int64(1), (2,)]})
    odd.write(tmp_path / "record.json")
    text = (tmp_path / "record.json").read_text()
    content = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert content["metrics"]["test/auc"] is None
    assert content["config"] == {"inf": "inf", "path": "a", "array": 0.5, "3": [1, [2]]}
    assert math.isnan(Record.read(tmp_path / "record.json").metrics["test/auc"])


def test_a_protocol_has_one_fingerprint(record):
    same = replace(record, protocol={"split": {"name": "random"}, "data": "toy"}, protocol_fingerprint="")
    other = replace(record, protocol={"split": {"name": "temporal"}, "data": "toy"}, protocol_fingerprint="")
    assert same.protocol_fingerprint == record.protocol_fingerprint != other.protocol_fingerprint


def test_the_name_of_the_data_is_no_part_of_the_fingerprint(record):
    shop = replace(record, protocol={"data": "shop", "data_fingerprint": "a1", "split": "random"})
    table = replace(record, protocol={"data": "table", "data_fingerprint": "a1", "split": "random"})
    other = replace(record, protocol={"data": "shop", "data_fingerprint": "b2", "split": "random"})
    assert shop.protocol_fingerprint == table.protocol_fingerprint != other.protocol_fingerprint


def damaged(text: str, content: dict) -> dict[str, str]:
    return {
        "truncated": text[: len(text) // 2],
        "empty": "",
        "not an object": "[1]",
        "a field missing": json.dumps({key: value for key, value in content.items() if key != "metrics"}),
        "a field too many": json.dumps({**content, "surprise": 1}),
        "another version": json.dumps({**content, "schema_version": 99}),
        "no version": json.dumps({key: value for key, value in content.items() if key != "schema_version"}),
    }


WRONG_TYPES = {
    "seed": ("0", "seed is '0', expected a whole number"),
    "metrics": ([], "metrics is [], expected an object of which each value is a number"),
    "segments": ({"items=cold": 1}, "segments is {'items=cold': 1}"),
    "curve": ([1], "curve is [1], expected a list"),
    "tags": ("mine", "tags is 'mine', expected a list of which each value is a text"),
    "tuning": ({"trials": "20"}, "tuning.trials is '20', expected a whole number"),
    "fitted_on": ({"epochs": True}, "fitted_on.epochs is True, expected a whole number or null"),
    "config": ({"metrics": 5}, "config.metrics is 5, expected an object"),
    "checksums": ({"model.safetensors": 5}, "checksums is"),
}


@pytest.mark.parametrize(("name", "value", "message"), [(name, *case) for name, case in WRONG_TYPES.items()])
def test_values_of_another_type_are_named(record, tmp_path, name, value, message):
    path = tmp_path / "record.json"
    record.write(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(RecordError) as refused:
        Record.read(path)
    assert str(refused.value).startswith(f"{path} is damaged: {message}")


@pytest.mark.parametrize("case", damaged("", {}))
def test_a_damaged_record_is_refused_with_its_name(record, tmp_path, case):
    path = tmp_path / "record.json"
    record.write(path)
    text = path.read_text()
    path.write_text(damaged(text, json.loads(text))[case])
    with pytest.raises(RecsysError, match=str(path)):
        Record.read(path)


def test_canonical_json_depends_on_values_alone():
    assert canonical_json({"b": (1, np.float64(0.1)), "a": None}) == canonical_json({"a": None, "b": [1, 0.1]})
    assert canonical_json(1) != canonical_json(1.0)
    assert canonical_json(1) != canonical_json(True)


def test_environment_imports_nothing_and_names_versions():
    versions = environment.versions()
    assert versions["torch"].split(".")[0].isdecimal()
    assert "python" in versions
    machine = environment.machine("cpu", threads=2)
    assert machine["device"] == "cpu"
    assert machine["threads"] == 2
    assert machine["n_cpus"] >= 1
