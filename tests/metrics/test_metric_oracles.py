"""Every accuracy metric against two libraries, ties excluded."""

import os

os.environ["NUMBA_DISABLE_JIT"] = "1"  # to compile ranx takes half a minute, to run it as Python a moment

import ir_measures
import numpy as np
import pytest
import ranx
import torch
from ir_measures import AP, RR, P, R, Success, nDCG
from metric_data import random_context, random_queries, suite
from torchmetrics.functional import retrieval

RANX = {
    "ndcg": "ndcg",
    "recall": "recall",
    "hit_rate": "hit_rate",
    "precision": "precision",
    "map": "map",
    "mrr": "mrr",
}
IR_MEASURES = {"ndcg": nDCG, "recall": R, "hit_rate": Success, "precision": P, "map": AP, "mrr": RR}
CUT_OFFS = [5, 10, 20]


@pytest.fixture(scope="module")
def queries():
    return random_queries()


@pytest.fixture(scope="module")
def measured(queries):
    metrics = suite().build("test", random_context())
    metrics.update(*queries)
    return metrics.per_query()


@pytest.fixture(scope="module")
def judgements(queries):
    _, positives, query = queries
    return {
        str(int(q)): {str(item): 1 for item in np.flatnonzero(row)} for q, row in zip(query, positives, strict=True)
    }


@pytest.fixture(scope="module")
def rankings(queries):
    scores, _, query = queries
    finite = [np.flatnonzero(np.isfinite(row)) for row in scores]
    return {
        str(int(q)): {str(item): float(row[item]) for item in items}
        for q, row, items in zip(query, scores, finite, strict=True)
    }


@pytest.fixture(scope="module")
def ranx_values(judgements, rankings):
    names = [f"{RANX[name]}@{k}" for name in RANX for k in CUT_OFFS]
    run = ranx.Run(rankings)
    ranx.evaluate(ranx.Qrels(judgements), run, names)
    return run.scores


@pytest.mark.parametrize("k", CUT_OFFS)
@pytest.mark.parametrize("name", RANX)
def test_equals_ranx(measured, ranx_values, name, k):
    theirs = ranx_values[f"{RANX[name]}@{k}"]
    ours = dict(zip(map(str, measured["query"].tolist()), measured[f"{name}@{k}"].tolist(), strict=True))
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("k", CUT_OFFS)
@pytest.mark.parametrize("name", IR_MEASURES)
def test_equals_ir_measures(measured, judgements, rankings, name, k):
    found = ir_measures.iter_calc([IR_MEASURES[name] @ k], judgements, rankings)
    theirs = {value.query_id: value.value for value in found}
    ours = dict(zip(map(str, measured["query"].tolist()), measured[f"{name}@{k}"].tolist(), strict=True))
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("ndcg", retrieval.retrieval_normalized_dcg),
        ("recall", retrieval.retrieval_recall),
        ("hit_rate", retrieval.retrieval_hit_rate),
        ("precision", retrieval.retrieval_precision),
        ("mrr", retrieval.retrieval_reciprocal_rank),
    ],
)
def test_equals_torchmetrics(queries, measured, name, theirs):
    # It takes scores of 0 and below as not retrieved, so it is given positive ones in the same order.
    scores, positives, _ = queries
    shifted = torch.where(scores > -torch.inf, scores + 4, 0.0)
    expected = [float(theirs(row, target, top_k=10)) for row, target in zip(shifted, positives, strict=True)]
    assert measured[f"{name}@10"].tolist() == pytest.approx(expected, abs=1e-6)


def test_means_are_means_over_queries(queries, measured):
    metrics = suite().build("test", random_context())
    metrics.update(*queries)
    for name, value in metrics.compute().items():
        if name in measured:
            assert value == pytest.approx(measured[name].double().nanmean().item(), abs=1e-12), name
