"""Equal timestamps are ordered by a seeded hash of the raw ids, and by nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from data.split_contract import dataset_of, id_hash, items_by_part, rows_of, tie_hash

from recsys.data.splits.leave_last_out import LeaveLastOutSplitter
from recsys.data.splits.ties import id_hashes, pair_hash, place_in_user, user_order
from recsys.data.splits.user_temporal import UserTemporalSplitter


def test_the_hash_is_the_one_that_is_documented():
    data = dataset_of(rows_of("u ä 1", "v b 1"))
    hashes = pair_hash(data, np.array([0, 1]), np.array([0, 1]), seed=2**33 + 1)
    assert hashes.tolist() == [tie_hash("u", "ä", 2**33 + 1), tie_hash("v", "b", 2**33 + 1)]
    assert id_hashes(pl.Series(["u", ""]), 5).tolist() == [id_hash("u", 5), id_hash("", 5)]


def test_the_hash_never_changes():
    # Fixed values: a change here moves every split, and must raise the version in TIE_RULE.
    assert id_hashes(pl.Series(["1", "user 2"]), 0).tolist() == [1246191534582349513, 16409754224210530279]
    data = dataset_of(pl.DataFrame({"user_id": ["user 2"], "item_id": ["1"], "timestamp": [5], "value": [1.0]}))
    assert pair_hash(data, np.array([0]), np.array([0]), 0).tolist() == [570969646160982400]


@pytest.mark.parametrize(
    ("n_users", "step", "spare"),  # spare: bits of 64 that user and time leave to the hash
    [(50, 1, 55), (50, 2**44, 11), (50, 2**53, 2), (50, 2**54, 1), (50, 2**55, 0), (2**31 - 1, 2**40, -10)],
)
@pytest.mark.parametrize("hash_bits", [64, 2])
def test_the_packed_order_is_the_order_of_the_three_keys(n_users, step, spare, hash_bits):
    rng = np.random.default_rng(0)
    users = np.r_[rng.integers(0, n_users, 5_000), n_users - 1].astype(np.int32)
    times = np.r_[rng.integers(-2, 3, 5_000), 2] * step  # about 20 interactions of each of 50 users at each time
    hashes = (
        rng.integers(0, 2**64 - 1, 5_001, dtype=np.uint64) >> np.uint64(64 - hash_bits) << np.uint64(64 - hash_bits)
    )
    assert 64 - int(users.max()).bit_length() - int(times.max() - times.min()).bit_length() == spare
    assert np.array_equal(user_order(users, times, hashes), np.lexsort((np.arange(5_001), hashes, times, users)))
    assert np.array_equal(user_order(users, None, hashes), np.lexsort((np.arange(5_001), hashes, users)))


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_times_of_a_coarse_unit_are_packed_in_that_unit(unit):
    rng = np.random.default_rng(0)
    users, times = rng.integers(0, 200_000, 5_000), 1_500_000_000_000_000 + rng.integers(0, 100, 5_000) * unit
    hashes = rng.integers(0, 2**64 - 1, 5_000, dtype=np.uint64)
    times[0] += 600_000_000_000_000  # about 20 years
    assert np.array_equal(user_order(users, times, hashes), np.lexsort((hashes, times, users)))


def test_no_interactions_have_an_order():
    nothing = np.empty(0, dtype=np.int64)
    assert nothing[user_order(nothing, nothing, nothing.astype(np.uint64))].shape == (0,)


@pytest.mark.parametrize(
    ("users", "places", "sizes"),
    [([], [], []), ([3], [0], [1]), ([2, 2, 5, 7, 7, 7], [0, 1, 0, 0, 1, 2], [2, 2, 1, 3, 3, 3])],
)
def test_each_interaction_has_its_position_within_its_user(users, places, sizes):
    place, size = place_in_user(np.array(users, dtype=np.int32))
    assert (place.tolist(), size.tolist()) == (places, sizes)
    assert place.dtype == size.dtype == np.int64


def test_which_of_two_tied_items_is_last_is_a_fair_draw():
    users = [f"user {n}" for n in range(2_000)]
    rows = pl.DataFrame({"user_id": users * 2, "item_id": ["1"] * 2_000 + ["2"] * 2_000, "timestamp": 5, "value": 1.0})
    split = LeaveLastOutSplitter().split(dataset_of(rows))
    n_second = (split.dataset.items["item_id"].gather(split.test["item"]) == "2").sum()
    assert abs(n_second - 1_000) < 3 * (2_000 / 4) ** 0.5  # three standard deviations of a fair coin
    assert split.statistics["tied_cuts"] == 1


def test_only_ties_depend_on_the_seed():
    rows = rows_of("u a 1", "u b 2", "u c 3", "v a 1", "v b 2", "v c 3")
    splits = [items_by_part(LeaveLastOutSplitter(seed=seed).split(dataset_of(rows))) for seed in range(5)]
    assert splits == [{"train": "ua va", "validation": "ub vb", "test": "uc vc"}] * 5


def test_the_share_of_tied_cuts():
    # u: train | validation is tied, validation | test is not; v: neither; w has no cut.
    rows = rows_of("u a 2", "u b 2", "u c 3", "v a 1", "v b 2", "v c 3", "w a 1")
    assert LeaveLastOutSplitter().split(dataset_of(rows)).statistics["tied_cuts"] == 1 / 4


def test_the_share_of_tied_cuts_on_real_data():
    from recsys.data.sources.movielens_small import MovieLensSmallSource

    split = UserTemporalSplitter().split(MovieLensSmallSource().read())
    spans = [
        part.group_by("user").agg(first=pl.col("timestamp").min(), last=pl.col("timestamp").max())
        for part in (split.train, split.validation, split.test)
    ]
    cuts = [earlier.join(later, on="user", suffix="_later") for earlier, later in (spans[:2], spans[1:])]
    tied = pl.concat(cuts).select(pl.col("last") == pl.col("first_later")).to_series()
    assert split.statistics["tied_cuts"] == tied.sum() / len(tied)
    assert 0.2 < split.statistics["tied_cuts"] < 0.3
