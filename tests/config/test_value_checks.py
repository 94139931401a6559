"""Impossible values and unknown keys are refused by name, before any data is read."""

from __future__ import annotations

import pytest

import recsys
from recsys.config.compatibility import check
from recsys.config.signatures import check_arguments
from recsys.schema import ConfigError
from recsys.studies.entries import check_metrics, check_study

WRONG = {
    "ranker.temperature=inf": "ranker.temperature is inf; expected a finite number",
    "ranker.temperature=nan": "ranker.temperature is nan",
    "features.dim=0": "features.dim is 0; expected a whole number of at least 1",
    "batches.max_history=true": "batches.max_history is True",
    "batches.batch_size=[1]": "batches.batch_size is",
    "seed=4294967296": "seed is 4294967296",
    "tags=5": "tags is 5; expected a list of texts",
    "trainer.limit_val_batches=1.5": "trainer.limit_val_batches is 1.5",
    "trainer.max_epochs=true": "trainer.max_epochs is True",
    "+encodr=bert": "encodr is an unknown key; did you mean encoder",
    "+batches.batchsize=3": "batches.batchsize is an unknown key; did you mean batches.batch_size",
}


@pytest.mark.parametrize(("override", "message"), WRONG.items())
def test_an_impossible_value_is_refused(override, message):
    with pytest.raises(ConfigError) as refused:
        check(recsys.compose(["ranker=dot", override]))
    assert message.split("; did")[0] in str(refused.value)
    assert message.rsplit(".", 1)[-1].split("did you mean ")[-1] in str(refused.value)


DOT = {"_target_": "recsys.rankers.dot.DotRanker", "_partial_": True}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("cosine", 1, "true or false"), ("temperature", "a", "a number"), ("temperature", True, "a number")],
)
def test_a_component_refuses_values_of_another_type(key, value, expected):
    with pytest.raises(ConfigError, match=rf"ranker\.{key} is {value!r}; expected {expected}"):
        check_arguments("ranker", {**DOT, key: value})


def test_a_component_refuses_keys_that_it_does_not_have():
    with pytest.raises(ConfigError, match=r"ranker\.temprature is an unknown key; did you mean temperature"):
        check_arguments("ranker", {**DOT, "temprature": 1.0})
    check_arguments("ranker", {**DOT, "temperature": 1})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+study.chagnes={a: [x]}", "study.chagnes is an unknown key; did you mean changes"),
        ("formats=[pdf]", "formats has 'pdf'"),
        ("study.seeds=[0,true]", "study.seeds is True"),
        ("study.metrics=ndcg@10", "study.metrics is 'ndcg@10'"),
    ],
)
def test_a_malformed_study_is_refused(override, message):
    with pytest.raises(ConfigError) as refused:
        check_study(recsys.compose(["study=default", override], "study"))
    assert message in str(refused.value)


def test_a_metric_that_no_test_computes_is_refused():
    cfg = recsys.compose(["study=default", "study.metrics=[ndgc@10]"], "study")
    with pytest.raises(ConfigError, match="did you mean ndcg@10"):
        check_metrics(cfg, [recsys.compose([])])
