from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from reports.made_runs import made_run, small_study
from scipy import stats
from statsmodels.stats.multitest import multipletests

from recsys.reports.cells import make_cells
from recsys.reports.comparison import compare
from recsys.reports.inference import Inference
from recsys.reports.values import load_values
from recsys.tracking.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_a_metric_of_the_test_may_name_its_stage(store):
    runs = small_study(store)
    named = compare(runs, store, "popularity", ["test/ndcg@10", "val/ndcg@10", "ndcg@10"])
    assert named.metrics == ["ndcg@10", "val/ndcg@10"]
    plain = compare(runs, store, "popularity", ["ndcg@10"])
    assert named.rows[0].scores["ndcg@10"] == plain.rows[0].scores["ndcg@10"]
    assert named.segments == plain.segments


def test_numbers_by_hand(store):
    found = compare(small_study(store), store, "popularity", ["ndcg@10", "recall@10", "coverage@10"])
    assert [row.label for row in found.rows] == ["bert+dot", "tfidf+dot", "popularity"]
    bert, tfidf, popularity = (row.scores["ndcg@10"] for row in found.rows)
    assert (bert.mean, tfidf.mean, popularity.mean) == (5 / 8, 1 / 2, 1 / 4)
    # seeds of bert: (1 + 3/2) / 4 = 5/8 and 5/2 / 4 = 5/8; of tfidf: 1/2 and 1/2
    assert (bert.seed_sd, tfidf.seed_sd, popularity.seed_sd) == (0, 0, 0)
    # users of bert over seeds: 1, 3/4, 1/2, 1/4; minus popularity's 1/2, 1/4, 1/4, 0: 1/2, 1/2, 1/4, 1/4
    assert bert.difference is not None
    assert bert.difference.mean == 3 / 8
    assert bert.difference.effect_size == pytest.approx((3 / 8) / (4 * (1 / 8) ** 2 / 3) ** 0.5)
    users = {
        "bert": [1, 3 / 4, 1 / 2, 1 / 4],
        "tfidf": [3 / 4, 1 / 2, 3 / 8, 3 / 8],
        "popularity": [1 / 2, 1 / 4, 1 / 4, 0],
    }
    p_bert, p_tfidf = (stats.ttest_rel(users[name], users["popularity"]).pvalue for name in ("bert", "tfidf"))
    assert bert.difference.p_users == pytest.approx(p_bert, abs=1e-12)
    assert tfidf.difference is not None
    assert tfidf.difference.p_users == pytest.approx(p_tfidf, abs=1e-12)
    smaller, larger = sorted([bert.difference.p_with_seeds, tfidf.difference.p_with_seeds])
    corrected = sorted([bert.difference.p_corrected, tfidf.difference.p_corrected])
    assert corrected == pytest.approx([2 * smaller, max(2 * smaller, larger)])
    assert popularity.difference is None
    assert found.rows[0].scores["recall@10"].mean == 2 * 5 / 8
    assert (found.n_users, found.n_queries, found.seeds) == (4, 4, (0, 1))
    assert found.best("ndcg@10") == "bert+dot"


def test_intervals_are_those_of_the_users_over_seeds(store):
    found = compare(small_study(store), store, None, ["ndcg@10"], seed=4)
    level = 2 * stats.norm.cdf((4 / 3) ** 0.5 * stats.t.ppf(0.975, 3)) - 1
    expected = stats.bootstrap(
        ([1.0, 3 / 4, 1 / 2, 1 / 4],),
        np.mean,
        n_resamples=2000,
        confidence_level=level,
        rng=np.random.default_rng(4),
    ).confidence_interval
    score = found.rows[0].scores["ndcg@10"]
    assert (score.low, score.high) == (pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9))
    assert score.difference is None
    assert found.baseline is None


def test_seed_deviation_by_hand(store):
    runs = [made_run(store, "bert", "dot", seed, [value, value]) for seed, value in enumerate((0.25, 0.5, 0.75))]
    score = compare(runs, store, None, ["ndcg@10"]).rows[0].scores["ndcg@10"]
    assert score.seed_sd == pytest.approx((2 * 0.25**2 / 2) ** 0.5)
    one = compare(runs[:1], store, None, ["ndcg@10"]).rows[0].scores["ndcg@10"]
    assert one.seed_sd is None


def test_a_metric_without_values_per_user_has_a_mean_alone(store):
    found = compare(small_study(store), store, "popularity", ["coverage@10", "val/ndcg@10"])
    score = found.rows[0].scores["coverage@10"]
    assert (score.mean, score.low, score.high, score.difference) == (0.25, None, None, None)
    assert found.rows[0].scores["val/ndcg@10"].mean >= 1 / 4 + 0.1


def test_less_is_better_for_some_metrics(store):
    runs = [
        made_run(store, "bert", "dot", 0, [0.5, 0.5], metrics={"test/gini@10": 0.9}),
        made_run(store, "tfidf", "dot", 0, [0.5, 0.5], metrics={"test/gini@10": 0.4}),
    ]
    found = compare(runs, store, None, ["gini@10"])
    assert found.best("gini@10") == found.rows[0].label == "tfidf+dot"


def test_costs_by_hand(store):
    cost = compare(small_study(store), store, None, ["ndcg@10"]).rows[0].cost
    assert (cost.trainable, cost.total, cost.train, cost.test) == (12_345, 22_700_000, 10.0, 0.5)
    assert (cost.encode, cost.peak_mb, cost.epochs) == (2.0, 501.0, 4.5)  # the longest, the largest, the mean
    empty = made_run(store, "a", "b", 0, [0, 1], times={}, parameters={}, epochs=None, peak_memory_mb=None)
    cost = compare([empty], store, None, ["ndcg@10"]).rows[0].cost
    assert {cost.trainable, cost.total, cost.encode, cost.train, cost.test, cost.peak_mb, cost.epochs} == {None}


def test_queries_without_a_value_do_not_count(store):
    runs = [
        made_run(store, "bert", "dot", 0, [1.0, np.nan, 0.5, 0.0]),
        made_run(store, "tfidf", "dot", 0, [0.5, np.nan, 0.5, 0.5]),
    ]
    found = compare(runs, store, "tfidf+dot", ["ndcg@10"])
    assert {row.label: row.scores["ndcg@10"].mean for row in found.rows} == {"bert+dot": 1 / 2, "tfidf+dot": 1 / 2}


def test_users_with_several_queries_are_resampled_whole(store):
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 6, 200)
    users = np.repeat([f"u{row}" for row in range(200)], sizes)
    level = np.repeat(generator.uniform(-0.2, 0.3, 200), sizes)  # a user's difference is shared by all of its queries
    base = generator.uniform(0.3, 0.5, len(users))
    runs = [
        made_run(store, "tfidf", "dot", 0, base, users=users.tolist()),
        made_run(store, "bert", "dot", 0, base + level, users=users.tolist()),
    ]
    found = compare(runs, store, "tfidf+dot", ["ndcg@10"])
    assert (found.n_users, found.n_queries) == (200, len(users))
    difference = found.row("bert+dot").scores["ndcg@10"].difference
    assert difference is not None
    assert found.row("bert+dot").scores["ndcg@10"].mean == pytest.approx((base + level).mean())  # over queries
    assert difference.mean == pytest.approx(level.mean())
    resampled = []
    sums, counts = np.bincount(np.repeat(np.arange(200), sizes), level), sizes
    for _ in range(2000):  # the ratio bootstrap over users that the estimate linearises
        drawn = generator.integers(0, 200, 200)
        resampled.append(sums[drawn].sum() / counts[drawn].sum())
    expected = np.percentile(resampled, [2.5, 97.5])
    assert [difference.low, difference.high] == pytest.approx(expected, abs=0.006)
    assert difference.high - difference.low > 1.3 * 2 * 1.96 * level.std() / len(users) ** 0.5  # than if independent


def test_users_with_several_queries_and_seeds(store):
    users = ["a", "a", "b", "c"]
    first, second = [1.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 0.0]
    runs = [made_run(store, "bert", "dot", seed, own, users=users) for seed, own in enumerate((first, second))]
    found = load_values(make_cells(runs), store, ["ndcg@10"]).per_user("ndcg@10").values
    assert found.shape == (3, 2, 1)
    # the mean over queries is 1/2 in both seeds; a mean user has 4/3 queries; a's sum of 1 is 0 above 2 × 1/2
    assert found[:, 0, 0] == pytest.approx([1 / 2, 1 / 2, 1 / 2])
    # b's 1 is 1/2 above its one query's mean, c's 0 is 1/2 below: 1/2 ± (1/2) / (4/3)
    assert found[:, 1, 0] == pytest.approx([1 / 2, 1 / 2 + 3 / 8, 1 / 2 - 3 / 8])


def test_a_bootstrap_over_few_seeds_is_warned_of(store):
    inference = Inference(seed_interval="two_level_bootstrap")
    warning = compare(small_study(store), store, None, ["ndcg@10"], inference=inference).warnings[0]
    assert "too narrow with 2 seeds" in warning
    one = [run for run in small_study(store) if run.seed == 0]
    assert not any("seeds" in own for own in compare(one, store, None, ["ndcg@10"], inference=inference).warnings)


def test_warnings_are_shown_once(store):
    runs = [replace(run, warnings=["only 80 warm users"]) for run in small_study(store)]
    assert compare(runs, store, None, ["ndcg@10"]).warnings[:-1] == ["only 80 warm users"]


def test_unequal_tuning_is_warned_of(store):
    runs = [replace(run, tuning={"trials": 20} if run.name == "bert+dot" else {}) for run in small_study(store)]
    warning = compare(runs, store, None, ["ndcg@10"]).warnings[0]
    assert "(20 trials: bert+dot; 0 trials: tfidf+dot, popularity)" in warning
    equal = compare([replace(run, tuning={"trials": 5}) for run in runs], store, None, ["ndcg@10"])
    assert not any("trials" in own for own in equal.warnings)


def test_all_pairs_by_hand(store):
    found = compare(small_study(store), store, "popularity", ["ndcg@10", "coverage@10"])
    pairs = found.pairs("ndcg@10")
    assert [(pair.a, pair.b) for pair in pairs] == [
        ("bert+dot", "tfidf+dot"),
        ("bert+dot", "popularity"),
        ("tfidf+dot", "popularity"),
    ]
    assert [pair.difference.mean for pair in pairs] == [1 / 8, 3 / 8, 1 / 4]
    users = {
        "bert+dot": [1, 3 / 4, 1 / 2, 1 / 4],
        "tfidf+dot": [3 / 4, 1 / 2, 3 / 8, 3 / 8],
        "popularity": [1 / 2, 1 / 4, 1 / 4, 0],
    }
    p = [stats.ttest_rel(users[pair.a], users[pair.b]).pvalue for pair in pairs]
    assert [pair.difference.p_users for pair in pairs] == pytest.approx(p, abs=1e-12)
    corrected = multipletests([pair.difference.p_with_seeds for pair in pairs], method="holm")[
        1
    ]  # over all pairs, and not over those of the baseline alone
    assert [pair.difference.p_corrected for pair in pairs] == pytest.approx(corrected, abs=1e-12)
    back = found.pair("ndcg@10", "popularity", "bert+dot")
    assert (back.a, back.b, back.difference.mean) == ("popularity", "bert+dot", -3 / 8)
    assert back.reversed == found.pair("ndcg@10", "bert+dot", "popularity") == pairs[1]
    assert found.pairs("coverage@10") == []
    with pytest.raises(KeyError):
        found.pair("ndcg@10", "bert+dot", "llm+dot")


def test_the_difference_to_the_baseline_is_that_of_its_pair(store):
    found = compare(small_study(store), store, "tfidf+dot", ["ndcg@10"])
    for row in found.rows:
        difference = row.scores["ndcg@10"].difference
        if difference is not None:
            pair = found.pair("ndcg@10", row.label, "tfidf+dot").difference
            assert replace(difference, p_corrected=None) == replace(pair, p_corrected=None)


def test_how_differences_are_judged(store):
    inference = Inference("randomisation", "benjamini_hochberg", level=0.6, n_resamples=400)
    found = compare(small_study(store), store, "popularity", ["ndcg@10"], inference=inference)
    assert [row.scores["ndcg@10"].difference.p_users for row in found.rows[:2]] == [1 / 8, 1 / 8]
    runs = [replace(run, run_id=f"one{place}") for place, run in enumerate(small_study(store)) if run.seed == 0]
    for run, values in zip(
        runs, ([1.0, 3 / 4, 1 / 2, 1 / 4], [3 / 4, 1 / 2, 3 / 8, 3 / 8], [1 / 2, 1 / 4, 1 / 4, 0.0]), strict=True
    ):
        store.save(run, store.per_user(small_study(store)[0].run_id).with_columns(pl.Series("ndcg@10", values)))
    found = compare(runs, store, "popularity", ["ndcg@10"], inference=inference)
    # one seed, with the users' values over the seeds of before. bert minus popularity: 1/2, 1/2, 1/4, 1/4; tfidf minus
    # popularity: 1/4, 1/4, 1/8, 3/8. Only equal signs are as far from zero: 2 of 16 each
    differences = [row.scores["ndcg@10"].difference for row in found.rows[:2]]
    assert [own.p for own in differences if own] == [1 / 8, 1 / 8]
    assert [own.p_corrected for own in differences if own] == [1 / 8, 1 / 8]
    assert all(found.is_significant(own) for own in differences)  # 1/8 < 1 - 0.6
    assert not found.is_significant(None)
    strict = compare(runs, store, "popularity", ["ndcg@10"], inference=replace(inference, level=0.9))
    assert not strict.is_significant(strict.rows[0].scores["ndcg@10"].difference)
    assert strict.level == 0.9
    few = replace(inference, level=0.99, n_resamples=100)
    for each, is_warned in ((runs, True), (small_study(store), False)):  # with two seeds the two-level t-test decides
        warnings = compare(each, store, "popularity", ["ndcg@10"], inference=few).warnings
        assert any("n_resamples=100 is too few" in warning for warning in warnings) is is_warned
    assert strict.rows[0].scores["ndcg@10"].low < found.rows[0].scores["ndcg@10"].low


def test_seeds_that_differ_widen_an_interval_of_their_own(store):
    generator = np.random.default_rng(0)
    users = generator.uniform(0.2, 0.4, 60)
    runs = [made_run(store, "tfidf", "dot", seed, users) for seed in range(3)]
    runs += [made_run(store, "bert", "dot", seed, users + 0.05 * (seed + 1)) for seed in range(3)]
    found = compare(runs, store, "tfidf+dot", ["ndcg@10", "coverage@10"])
    tfidf, bert = (found.row(label).scores["ndcg@10"] for label in ("tfidf+dot", "bert+dot"))
    assert (tfidf.low_with_seeds, tfidf.high_with_seeds) == (pytest.approx(tfidf.low), pytest.approx(tfidf.high))
    difference = bert.difference
    assert difference is not None
    # 0.05, 0.1, 0.15 on each user: users have no variance here, and seeds a standard error of 0.05/√3
    assert (difference.low, difference.high) == (pytest.approx(0.1), pytest.approx(0.1))
    half = stats.t.ppf(0.975, 2) * 0.05 / 3**0.5
    assert difference.p_users < 1e-9
    assert difference.p_corrected == pytest.approx(stats.ttest_1samp([0.05, 0.1, 0.15], 0).pvalue)  # 0.074: users alone
    assert not found.is_significant(difference)  # would be sure, other seeds are not
    assert (difference.low_with_seeds, difference.high_with_seeds) == (
        pytest.approx(0.1 - half),
        pytest.approx(0.1 + half),
    )
    assert found.row("bert+dot").scores["coverage@10"].low_with_seeds is None


@pytest.mark.slow
def test_two_hundred_runs_are_compared_in_seconds(store):
    generator = np.random.default_rng(0)
    config = {f"key{number}": {"a": number, "b": "text"} for number in range(40)}
    for cell in range(40):
        for seed in range(5):
            values = generator.uniform(size=700)
            made_run(store, "bert", "dot", seed, values, config={**config, "learning_rate": cell / 100})
    start = time.perf_counter()
    found = compare(store.records(), store, "bert+dot (learning_rate=0.0)", ["ndcg@10", "recall@10"])
    assert time.perf_counter() - start < 8
    assert len(found.rows) == 40
    assert found.n_comparisons("ndcg@10") == 39
    assert len(found.pairs("ndcg@10")) == 40 * 39 / 2
