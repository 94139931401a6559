"""Rating and k-core filters, against a core that is made by dropping one user or item at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from data.split_contract import dataset_of, log_rows, rows_of

from recsys.data.dataset import Dataset
from recsys.data.filters import filter_interactions
from recsys.data.splits.leave_last_out import LeaveLastOutSplitter
from recsys.data.splits.random import RandomSplitter
from recsys.data.splits.user_temporal import UserTemporalSplitter


def pairs(data: Dataset) -> set[tuple[str, str]]:
    users = data.users["user_id"].gather(data.interactions["user"])
    items = data.items["item_id"].gather(data.interactions["item"])
    return set(zip(users, items, strict=True))


def naive_core(found: set[tuple[str, str]], user_k: int, item_k: int) -> set[tuple[str, str]]:
    while True:
        users, items = Counter(user for user, _ in found), Counter(item for _, item in found)
        kept = {(user, item) for user, item in found if users[user] >= user_k and items[item] >= item_k}
        if kept == found:
            return found
        found = kept


@pytest.mark.parametrize("user_k", [None, 2, 6, 9])
@pytest.mark.parametrize("item_k", [None, 3, 12])
def test_the_core_is_the_naive_one(user_k, item_k):
    data = dataset_of(log_rows())
    core, dropped = filter_interactions(data, None, user_k, item_k)
    expected = naive_core(pairs(data), user_k or 0, item_k or 0)
    assert pairs(core) == expected
    if user_k or item_k:
        lost = [data.interactions.height - len(expected), data.n_users - core.n_users, data.n_items - core.n_items]
        assert [dropped["k_core"], dropped["k_core_users"], dropped["k_core_items"]] == lost


def test_a_chain_falls_away_one_after_the_other():
    # z has one user; without z, w has one item left; without w, c has one user; without c, v has one item.
    rows = rows_of("u a 1", "u b 1", "t a 1", "t b 1", "v b 1", "v c 1", "w c 1", "w z 1")
    core, dropped = filter_interactions(dataset_of(rows), None, 2, 2)
    assert pairs(core) == {("u", "a"), ("u", "b"), ("t", "a"), ("t", "b")}
    assert dropped == {"k_core": 4, "k_core_users": 2, "k_core_items": 2}
    assert core.interactions["user"].max() == core.n_users - 1 == 1
    assert core.interactions["item"].max() == core.n_items - 1 == 1


def test_ratings_below_the_threshold_are_dropped_before_the_core():
    rows = rows_of("u a 1", "u b 1", "v a 1", "v b 1", value=[4.0, 4.0, 4.0, 3.5])
    kept, dropped = filter_interactions(dataset_of(rows), 4.0, 2, None)
    assert pairs(kept) == {("u", "a"), ("u", "b")}
    assert dropped == {"min_rating": 1, "k_core": 1, "k_core_users": 1, "k_core_items": 0}


def test_low_rated_interactions_are_kept_with_the_indices_of_the_filtered_data():
    rows = rows_of("u a 1", "u b 2", "v a 3", "v b 4", "v c 5", "w a 6", value=[4.0, 4.0, 4.0, 4.0, 1.0, 2.0])
    data = dataset_of(rows)
    everything, _ = filter_interactions(data, 3.0, None, None)
    low = replace(everything, interactions=everything.low_rated)
    assert pairs(low) == {("v", "c"), ("w", "a")}
    assert low.interactions.columns == data.interactions.columns
    core, _ = filter_interactions(data, 3.0, 2, 1)  # w leaves with the user core, c with the item core
    assert core.low_rated.is_empty()
    core, _ = filter_interactions(data, 3.0, 2, None)
    assert pairs(replace(core, interactions=core.low_rated)) == {("v", "c")}
    stricter, _ = filter_interactions(everything, 4.5, None, None)
    assert pairs(replace(stricter, interactions=stricter.low_rated)) == pairs(data)


def test_low_rated_interactions_are_part_of_the_fingerprint():
    rows = rows_of("u a 1", "u b 2", "v a 3", value=[4.0, 4.0, 1.0])
    kept, _ = filter_interactions(dataset_of(rows), 3.0, None, None)
    assert kept.fingerprint != replace(kept, low_rated=None, fingerprint="").fingerprint
    assert filter_interactions(dataset_of(rows), None, None, None)[0].low_rated is None


def test_items_without_interactions_leave_the_catalogue_with_an_item_core_only():
    data = dataset_of(rows_of("u a 1", "u b 1", "v a 1", "v b 1"))
    unseen = pl.DataFrame({"item_id": ["unseen"], "text": ["a film"]})
    wider = Dataset("toy", data.interactions, pl.concat([unseen, data.items]), data.users)
    wider = Dataset("toy", data.interactions.with_columns(pl.col("item") + 1), wider.items, data.users)
    assert filter_interactions(wider, 1.0, 2, None)[0].items["item_id"].to_list() == ["unseen", "a", "b"]
    core, dropped = filter_interactions(wider, None, None, 2)
    assert core.items["item_id"].to_list() == ["a", "b"]
    assert dropped["k_core_items"] == 1
    assert pairs(core) == pairs(wider)


def test_without_filters_the_data_is_the_same():
    data = dataset_of(log_rows())
    assert filter_interactions(data, None, None, None) == (data, {})


def test_the_split_counts_what_the_source_and_the_filters_dropped():
    data = dataset_of(log_rows())
    data = Dataset("toy", data.interactions, data.items, data.users, dropped={"repeated": 3})
    split = UserTemporalSplitter(min_rating=2, user_k_core=3).split(data)
    dropped = split.statistics["dropped"]
    assert dropped["repeated"] == 3
    assert dropped["min_rating"] == (data.interactions["value"] < 2).sum()
    lost = dropped["min_rating"] + dropped["k_core"]
    assert split.dataset.interactions.height == data.interactions.height - lost
    assert split.dataset.fingerprint != data.fingerprint


def low_rated_parts(splitter):
    rows = rows_of("u a 1", "u b 2", "u c 3", "u d 0", "u e 2", "u f 5", value=[5.0, 5.0, 5.0, 1.0, 1.0, 1.0])
    low_rated = splitter.split(dataset_of(rows)).low_rated
    assert low_rated["part"].dtype == pl.Int8
    return dict(zip(low_rated["item"].to_list(), low_rated["part"].to_list(), strict=True))


def test_low_rated_interactions_are_in_the_part_in_which_they_were_made():
    # Item b of time 2 is validation, c of time 3 is test; d, e and f (items 3, 4, 5) are of times 0, 2 and 5.
    assert low_rated_parts(LeaveLastOutSplitter(min_rating=3)) == {3: 0, 4: 1, 5: 2}


def test_low_rated_interactions_are_known_to_all_parts_where_these_do_not_follow_one_another():
    shares = {"test_share": 0.4, "validation_share": 0.0}
    assert low_rated_parts(RandomSplitter(min_rating=3, **shares)) == {3: 0, 4: 0, 5: 0}
