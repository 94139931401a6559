from math import log2

import numpy as np
import pytest
import torch
from metric_data import random_context, random_queries, suite

from recsys.metrics.context import MetricContext
from recsys.metrics.item_segments import item_segments
from recsys.schema import ConfigError

COUNTS = torch.tensor([6, 0, 3, 1, 1, 1])
SMALL = MetricContext(6, COUNTS, 6, COUNTS > 0)


def updated(stage_metrics, *chunks):
    for chunk in chunks:
        stage_metrics.update(*chunk)
    return stage_metrics


def test_validation_computes_only_what_is_monitored():
    metrics = updated(suite().build("val", random_context()), random_queries())
    assert list(metrics.compute()) == ["ndcg@10", "recall@10"] == suite().names("val")
    assert metrics.segments() == {}


def test_the_test_computes_everything_that_is_configured():
    metrics = updated(suite().build("test", random_context()), random_queries())
    assert list(metrics.compute()) == suite().names("test")
    families = ["ndcg", "recall", "hit_rate", "precision", "map", "mrr", "coverage", "gini"]
    families += ["average_popularity", "novelty", "diversity"]
    assert set(metrics.compute()) == {f"{name}@{k}" for name in families for k in (5, 10, 20)} | {"auc"}
    assert np.isfinite(list(metrics.compute().values())).all()


def test_catalogue_metrics_by_hand():
    scores = torch.tensor([[6.0, 5, 4, 3, 2, 1], [6.0, 1, 5, 4, 3, 2]])
    positives = torch.eye(6, dtype=torch.bool)[:2]
    metrics = suite("default", "metrics.top_k=[2]").build("test", SMALL)  # lists: items 0 1, items 0 2
    found = updated(metrics, (scores, positives, torch.arange(2))).compute()
    assert found["coverage@2"] == 3 / 6
    # Counts 0 0 0 1 1 2 of n = 6: Σ (2i - n - 1) c / (n Σ c) = (1·1 + 3·1 + 5·2) / (6·4)
    assert found["gini@2"] == pytest.approx(14 / 24)
    assert found["average_popularity@2"] == pytest.approx(((6 + 0) / 2 + (6 + 3) / 2) / 2)
    assert found["novelty@2"] == pytest.approx(((0 + log2(6)) / 2 + (0 + log2(6 / 3)) / 2) / 2, abs=1e-6)
    assert "diversity@2" not in found  # the data has no texts


def test_queries_without_positives_are_skipped():
    scores, positives, query = random_queries()
    positives[[3, 17]] = False
    kept = torch.tensor([q for q in range(40) if q not in (3, 17)])
    all_queries = updated(suite().build("test", random_context()), (scores, positives, query))
    others = updated(suite().build("test", random_context()), (scores[kept], positives[kept], query[kept]))
    assert all_queries.compute() == others.compute()
    assert all_queries.per_query()["query"].tolist() == kept.tolist()


def test_chunks_and_their_order_change_nothing():
    scores, positives, query = random_queries(seed=1)
    scores = scores.round()  # with ties
    chunks = [(scores[i : i + 9], positives[i : i + 9], query[i : i + 9]) for i in range(0, 40, 9)]
    whole = updated(suite("sampled").build("test", random_context()), (scores, positives, query))
    parts = updated(suite("sampled").build("test", random_context()), *chunks[::-1])
    assert parts.compute() == whole.compute()
    assert parts.segments() == whole.segments()
    torch.testing.assert_close(parts.per_query(), whole.per_query(), rtol=0, atol=0, equal_nan=True)


def test_few_tensors_are_kept_of_many_chunks():
    scores, positives, query = random_queries(seed=1)
    chunks = [(scores[[i]], positives[[i]], query[[i]]) for i in range(40)]
    stage_metrics = updated(suite().build("test", random_context()), *chunks)
    assert max(len(metric.rows) for metric in stage_metrics.metrics) <= log2(40) + 1


def test_a_query_that_comes_twice_counts_once():
    scores, positives, query = random_queries()
    twice = updated(
        suite().build("test", random_context()), (scores, positives, query), (scores[:5], positives[:5], query[:5])
    )
    once = updated(suite().build("test", random_context()), (scores, positives, query))
    assert twice.compute() == once.compute()


def test_k_beyond_the_catalogue():
    scores, positives, query = random_queries(n_items=4)
    metrics = updated(suite().build("test", random_context(n_items=4)), (scores, positives, query))
    found = metrics.compute()
    assert found["recall@20"] == found["hit_rate@20"] == 1
    assert found["precision@20"] == pytest.approx(positives.sum(dim=1).double().mean().item() / 20)
    assert found["coverage@20"] == 1


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_to_measure_is_nan():
    metrics = suite().build("test", random_context())
    assert np.isnan(list(metrics.compute().values())).all()
    empty = torch.zeros(0, 60), torch.zeros(0, 60, dtype=torch.bool), torch.zeros(0, dtype=torch.int64)
    assert np.isnan(list(updated(metrics, empty).compute().values())).all()
    assert metrics.segments()["items=cold"]["n_queries"] == 0


def test_reset_forgets_everything():
    metrics = updated(suite().build("test", random_context()), random_queries(seed=1))
    metrics.compute()
    metrics.reset()
    fresh = suite().build("test", random_context())
    assert updated(metrics, random_queries(seed=2)).compute() == updated(fresh, random_queries(seed=2)).compute()


@pytest.mark.parametrize("column", [0, 30, 59])
def test_a_constant_scorer_lands_at_chance(column):
    n_queries, n_items = 4000, 60
    positives = torch.zeros(n_queries, n_items, dtype=torch.bool)
    positives[:, column] = True
    chunk = torch.zeros(n_queries, n_items), positives, torch.arange(n_queries)
    found = updated(suite().build("test", random_context()), chunk).compute()
    chance = 10 / n_items
    assert found["recall@10"] == pytest.approx(chance, abs=4 * (chance * (1 - chance) / n_queries) ** 0.5)
    mean_discount = sum(1 / log2(rank + 1) for rank in range(1, 11)) / n_items
    assert found["ndcg@10"] == pytest.approx(mean_discount, abs=4 * 0.25 / n_queries**0.5)
    assert found["auc"] == 1 / 2
    assert found["coverage@10"] == 1
    again = updated(suite().build("test", random_context()), chunk).compute()
    assert again == found


def test_candidates_with_item_numbers_give_what_the_catalogue_gives():
    scores, positives, query = random_queries(seed=3)
    scores = scores.round()  # with ties
    items = torch.rand(scores.shape, generator=torch.Generator().manual_seed(0)).argsort(dim=1)
    padding = torch.full((40, 3), -1)
    listed = torch.cat([items, padding], dim=1)
    chunk = (
        torch.cat([scores.gather(1, items), torch.full((40, 3), -torch.inf)], dim=1),
        torch.cat([positives.gather(1, items), padding == 0], dim=1),
        query,
        listed,
    )
    dense = updated(suite("sampled").build("test", random_context()), (scores, positives, query))
    candidates = updated(suite("sampled").build("test", random_context()), chunk)
    assert candidates.compute() == dense.compute()
    assert candidates.segments() == dense.segments()


def test_impressions_by_hand():
    scores = torch.tensor([[0.9, 0.8, 0.7, -torch.inf], [0.1, 0.2, 0.3, 0.4]])
    positives = torch.tensor([[False, True, True, False], [True, False, False, False]])
    items = torch.tensor([[5, 3, 1, -1], [0, 2, 4, 1]])
    metrics = suite("impressions").build("test", SMALL)
    found = updated(metrics, (scores, positives, torch.arange(2), items)).compute()
    assert found["auc"] == 0
    assert found["mrr"] == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert found["mind_mrr"] == pytest.approx(((1 / 2 + 1 / 3) / 2 + 1 / 4) / 2, abs=1e-7)
    first = (1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3))
    assert found["ndcg@5"] == found["ndcg@10"] == pytest.approx((first + 1 / log2(5)) / 2, abs=1e-7)


def test_segments_restrict_what_is_relevant_and_not_what_is_ranked():
    scores = torch.tensor([[6.0, 5, 4, 3, 2, 1], [6.0, 5, 4, 3, 2, 1]])
    positives = torch.tensor([[True, True, False, False, False, False], [False, False, False, True, False, True]])
    metrics = suite("default", "metrics.top_k=[4]", "metrics.segment_shares=[0.5,0.75]").build("test", SMALL)
    found = updated(metrics, (scores, positives, torch.arange(2))).segments()
    assert [found[f"items={name}"]["n_queries"] for name in ("cold", "tail", "torso", "head")] == [1, 1, 0, 1]
    assert found["items=cold"]["mrr@4"] == 1 / 2  # item 1 stands behind item 0, whatever the segment
    assert found["items=head"]["ndcg@4"] == 1
    assert found["items=tail"]["recall@4"] == 1 / 2
    assert np.isnan(found["items=torso"]["recall@4"])
    assert "coverage@4" not in found["items=head"]
    values = metrics.per_query()
    assert values["items=cold/mrr@4"].tolist()[0] == 1 / 2
    assert values["items=tail/recall@4"].tolist()[1] == 1 / 2
    defined = {name: (~values[f"items={name}/ndcg@4"].isnan()).tolist() for name in ("cold", "tail", "torso", "head")}
    expected = {"cold": [True, False], "tail": [False, True], "torso": [False, False], "head": [True, False]}
    assert defined == expected


def test_segments_are_disjoint_and_cover_the_catalogue():
    context = random_context(n_items=500)
    masks = item_segments(context, [1 / 3, 2 / 3])
    assert torch.stack(list(masks.values())).sum(dim=0).tolist() == [1] * 500
    share = {
        name: int(context.item_counts[mask].sum()) / int(context.item_counts.sum()) for name, mask in masks.items()
    }
    assert share["cold"] == 0
    assert [share[name] for name in ("tail", "torso", "head")] == pytest.approx([1 / 3] * 3, abs=0.05)
    least = {name: int(context.item_counts[masks[name]].min()) for name in ("torso", "head")}
    most = {name: int(context.item_counts[masks[name]].max()) for name in ("tail", "torso")}
    assert most["tail"] < least["torso"] <= most["torso"] < least["head"]


def test_sampled_metrics_rank_the_positives_among_so_many_others():
    n_queries, n_items = 2000, 60
    positives = torch.zeros(n_queries, n_items, dtype=torch.bool)
    positives[:, 7] = True
    scores = torch.arange(n_items).float().expand(n_queries, n_items).clone()  # item 7 beats 7 of the 59 others
    metrics = suite("sampled", "metrics.n_negatives=9").build("test", random_context())
    found = updated(metrics, (scores, positives, torch.arange(n_queries))).compute()
    assert found["sampled_hit_rate@10"] == 1  # ten candidates in all
    # Its rank is 1 + the number of its 52 betters among 9 of 59: hypergeometric, above 5 unless at least 5 are worse.
    from scipy.stats import hypergeom

    expected = hypergeom(59, 52, 9).cdf(4)
    assert found["sampled_recall@5"] == pytest.approx(expected, abs=4 * (expected / n_queries) ** 0.5)
    assert found["recall@5"] == 0


def test_sampled_candidates_are_not_those_that_win_ties():
    n_queries, n_items = 4000, 60
    positives = torch.zeros(n_queries, n_items, dtype=torch.bool)
    positives[:, 7] = True
    metrics = suite("sampled", "metrics.n_negatives=19").build("test", random_context())
    found = updated(metrics, (torch.zeros(n_queries, n_items), positives, torch.arange(n_queries))).compute()
    assert found["sampled_hit_rate@10"] == pytest.approx(1 / 2, abs=4 * 0.5 / n_queries**0.5)


def test_seen_items_are_not_sampled():
    scores = torch.full((1, 60), -torch.inf)
    scores[0, [3, 5]] = torch.tensor([1.0, 2.0])
    positives = torch.zeros(1, 60, dtype=torch.bool)
    positives[0, 3] = True
    metrics = suite("sampled").build("test", random_context())
    assert updated(metrics, (scores, positives, torch.arange(1))).compute()["sampled_mrr@10"] == 1 / 2


@pytest.mark.parametrize("value", ["0", "10", "[0]", "[-3]", "['10']", "[]", "[true]", "[2.5]", "null"])
def test_nonsense_cut_offs_are_refused(value):
    with pytest.raises(ConfigError, match=r"metrics\.top_k is .*; expected a list"):
        suite("default", f"metrics.top_k={value}")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("metrics.val=[ndgc@10]", r"metrics\.val has 'ndgc@10'; expected names out of \(ndcg, recall"),
        ("metrics.test=[ndcg@0]", r"metrics\.test has 'ndcg@0'"),
        ("metrics.val=ndcg@10", r"metrics\.val is 'ndcg@10'; expected a list"),
        ("metrics.val=[ndcg@10,ndcg]", r"metrics\.val has ndcg twice, once without a cut-off"),
        ("metrics.val=[ndcg,ndcg@10]", r"metrics\.val has ndcg twice, once without a cut-off"),
        ("metrics.n_negatives=0", r"metrics\.n_negatives is 0"),
        ("metrics.segment_shares=[0.7,0.3]", r"metrics\.segment_shares"),
        ("metrics.metrics.ndcg.top_k=[0]", r"metrics\.metrics\.ndcg\.top_k is \[0\]"),
    ],
)
def test_unknown_values_are_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        suite("default", f"{'+' if 'ndcg.top_k' in override else ''}{override}")


@pytest.mark.parametrize(
    ("name", "message"), [("auc@10", "auc .* has no cut-off"), ("coverage", "Coverage needs cut-offs")]
)
def test_cut_offs_that_make_no_sense_are_refused(name, message):
    with pytest.raises(ConfigError, match=message):
        suite("default", f"metrics.val=[{name}]").build("val", random_context())


def test_nothing_is_saved_in_a_checkpoint():
    metrics = updated(suite().build("test", random_context()), random_queries())
    assert metrics.state_dict() == {}
