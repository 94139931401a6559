"""A comparison by segments of users and items."""

import numpy as np
import polars as pl
import pytest
from reports.made_runs import made_run, small_study
from statsmodels.stats.multitest import multipletests

from recsys.reports.comparison import compare
from recsys.reports.segments import history_groups
from recsys.reports.statistics import paired_difference
from recsys.reports.tables import segment_grid, segment_note
from recsys.tracking.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_segments_by_hand(store):
    segments = compare(small_study(store), store, None, ["ndcg@10"]).segments
    assert segments.sizes == {"items=cold": 2, "items=head": 4, "history=1-2": 2, "history=3": 1, "history=4": 1}
    assert segments.values["items=cold"]["bert+dot"] == 5 / 16
    assert segments.values["history=1-2"] == {"bert+dot": 7 / 8, "tfidf+dot": 5 / 8, "popularity": 3 / 8}


@pytest.fixture
def with_segments(store):
    """Two cells of two seeds on 60 users; 40 of them have a cold item, and one has an item of the tail."""
    generator = np.random.default_rng(0)
    runs = []
    for encoder, lift in (("bert", 0.2), ("tfidf", 0.0)):
        for seed in range(2):
            users = generator.uniform(0.2, 0.4, 60) + lift
            segments = {
                f"items={name}": {"ndcg@10": 0.3 + lift, "n_queries": n} for name, n in (("cold", 40.0), ("tail", 1.0))
            }
            run = made_run(store, encoder, "dot", seed, users, history=[1] * 30 + [9] * 30, segments=segments)
            cold, tail = (np.where(np.arange(60) < n, users, np.nan) for n in (40, 1))
            frame = store.per_user(run.run_id)
            columns = {"items=cold/ndcg@10": cold, "items=tail/ndcg@10": tail}
            store.save(run, frame.with_columns(pl.Series(name, own) for name, own in columns.items()))
            runs.append(run)
    return runs


@pytest.mark.slow
def test_segments_have_intervals_and_one_family_of_tests(store, with_segments):
    found = compare(with_segments, store, "tfidf+dot", ["ndcg@10"])
    segments = found.segments
    assert list(segments.scores) == ["items=cold", "history=1", "history=9"]  # the tail has one user
    tables = {run.run_id: store.per_user(run.run_id)["items=cold/ndcg@10"].to_numpy()[:40] for run in with_segments}
    values = np.stack(list(tables.values()), axis=1)
    alone = paired_difference(values[:, :2], values[:, 2:], 0)
    cold = segments.scores["items=cold"]["bert+dot"]
    assert cold.difference is not None
    assert cold.difference.p_with_seeds == pytest.approx(alone.p_with_seeds)
    assert cold.low_with_seeds < values[:, :2].mean() < cold.high_with_seeds
    family = [own["bert+dot"].difference for own in segments.scores.values()]
    expected = multipletests([own.p for own in family], method="holm")[1]
    assert [own.p_corrected for own in family] == pytest.approx(expected)
    assert segments.n_comparisons == 3
    assert "items=tail: they have fewer than two users" in " ".join(segments.notices)
    entry = segment_grid(found).rows[0][1]
    assert entry.is_marked
    assert "[" in entry.text
    note = segment_note(found)
    assert "new users and new seeds (two seeds: less reliable than three or more), Holm-corrected for all 3" in note


def test_runs_without_values_of_segments_have_a_notice(store):
    notices = compare(small_study(store), store, "popularity", ["ndcg@10"]).segments.notices
    assert notices[0].startswith("No intervals or tests for items=cold, items=head: these runs kept no values")
    assert "Fewer than 10 users have a value other than 0 in history=1-2 (3 of 3 cells)" in notices[1]
    assert "history=3, history=4: they have fewer than two users" in notices[2]


def test_history_groups_cover_all_and_never_split_equal_lengths():
    lengths = np.random.default_rng(0).poisson(3, 500)
    groups = dict(history_groups(lengths))
    assert (sum(groups.values()) == 1).all()
    assert list(history_groups(np.array([], dtype=np.int64))) == []
    assert [name for name, _ in history_groups(np.array([0, 0]))] == ["history=0"]
