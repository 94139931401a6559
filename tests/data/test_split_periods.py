"""The ends of the period of a temporal split, and its moments as shares of all interactions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from data.split_contract import dataset_of, items_by_part, rows_of

from recsys.data.splits.temporal import TemporalSplitter
from recsys.schema import ConfigError


def test_shares_as_moments_leave_out_what_is_outside_of_the_period():
    rows = rows_of(*(f"{'uv'[time % 2]} {item} {time}" for time, item in enumerate("abcdefghij")))
    moments = {"train_from": 0.2, "validation_from": 0.5, "test_from": 0.6, "test_until": 0.8}
    data = dataset_of(rows)
    split = TemporalSplitter(**moments).split(data)
    assert items_by_part(split) == {"train": "uc ue vd", "validation": "vf", "test": "ug vh"}
    assert split.statistics["dropped"] == {"items_first_seen_later": 2, "outside_period": 4}
    assert split.dataset.interactions.height == 6
    assert split.dataset.items["item_id"].to_list() == list("abcdefgh")  # i and j appear after the period
    alone = replace(data, interactions=split.dataset.interactions, items=split.dataset.items, fingerprint="")
    assert split.dataset.fingerprint == alone.fingerprint != data.fingerprint
    masked = split.masked("test").sort("user", "item").rows()
    # a and b are before the period: nothing is fitted on them, and they are not recommended again
    assert masked == [(0, 0), (0, 2), (0, 4), (1, 1), (1, 3), (1, 5)]
    assert split.refit().earlier is not None


def test_items_that_appear_after_the_period_are_no_candidates():
    rows = rows_of("u z 0", "v y 1", "u b 2", "v c 3", "u d 4", "v z 5", "u a 6", "v a 7")
    split = TemporalSplitter(validation_from=0.25, test_from=0.5, test_until=0.75).split(dataset_of(rows))
    assert items_by_part(split) == {"train": "uz vy", "validation": "ub vc", "test": "ud vz"}
    assert sorted(split.dataset.items["item_id"]) == ["b", "c", "d", "y", "z"]
    assert split.dataset.interactions["item"].max() == 4


def test_a_share_as_moment_keeps_equal_times_together():
    rows = rows_of("u a 1", "v b 2", "u c 3", "v d 3", "u e 3", "v f 4")
    split = TemporalSplitter(validation_from=0.2, test_from=0.5, test_until=0.9).split(dataset_of(rows))
    assert items_by_part(split) == {"train": "ua", "validation": "vb", "test": "uc ue vd"}


def test_the_end_of_the_period_in_dates():
    day = 86_400 * 10**6
    rows = rows_of("u a 0", f"v b {day}", f"u c {2 * day}", f"v d {3 * day}", f"u e {4 * day}")
    dates = {"train_from": "1970-01-02", "validation_from": "1970-01-03", "test_from": "1970-01-04"}
    split = TemporalSplitter(**dates, test_until="1970-01-05").split(dataset_of(rows))
    assert items_by_part(split) == {"train": "vb", "validation": "uc", "test": "vd"}


def test_low_ratings_after_the_period_are_unknown():
    rows = rows_of("u a 0", "u b 1", "u c 2", "u d 3", "v e 3", "u f 4", value=[1.0, 5.0, 5.0, 5.0, 1.0, 1.0])
    moments = {"validation_from": 0.34, "test_from": 0.67}
    split = TemporalSplitter(min_rating=3, **moments).split(dataset_of(rows))
    low = {item for user, item in split.masked("test").rows() if user == 0}
    assert 0 in low
    assert 5 not in low


def test_items_of_which_only_low_ratings_are_within_the_period_are_known():
    """x has a low rating in the period; y and z have ratings after it only, both or low ones alone."""
    within, after = ("u a 0", "v b 1", "u c 2", "v d 3", "u x 3"), ("u y 9", "v y 9", "v x 9", "u z 9")
    data = dataset_of(rows_of(*within, *after, value=[5.0, 5.0, 5.0, 5.0, 1.0, 5.0, 1.0, 5.0, 1.0]))
    dates = {f"{key}_from": f"1970-01-01T00:00:00.00000{at}" for key, at in (("validation", 2), ("test", 3))}
    made = TemporalSplitter(**dates, test_until="1970-01-01T00:00:00.000005", min_rating=3).split(data)
    assert made.dataset.items["item_id"].to_list() == list("abcdx")
    assert made.statistics["dropped"]["items_first_seen_later"] == 2
    assert made.dataset.low_rated["item"].to_list() == [4]
    whole = TemporalSplitter(**dates, min_rating=3).split(data)
    assert whole.dataset.n_items == 7  # without an end of the period all items are known


def test_the_fingerprint_of_a_split_changes_only_with_low_ratings_after_the_period():
    """Runs from before have other items, so they cannot be opened with the new ones."""
    splitter = TemporalSplitter(validation_from=0.25, test_from=0.5, test_until=0.75, min_rating=3)
    for last, moved in ((5.0, False), (1.0, True)):
        data = dataset_of(rows_of("u a 0", "v b 1", "u c 2", "v d 3", "u e 4", value=[5.0, 5.0, 5.0, 5.0, last]))
        content = json.dumps([data.fingerprint, splitter.identity()], sort_keys=True).encode()
        assert (splitter.split(data).fingerprint != hashlib.sha256(content).hexdigest()[:16]) == moved


@pytest.mark.parametrize(
    ("moments", "parts"),
    [
        ({"validation_from": 0.5, "test_from": 0.5}, {"train": "ua ub", "test": "vc vd"}),
        (
            {"validation_from": 0.25, "test_from": 0.5, "test_until": 0.9},
            {"train": "ua", "validation": "ub", "test": "vc vd"},
        ),
        (
            {"train_from": 0.25, "validation_from": 0.5, "test_from": 0.75},
            {"train": "ub", "validation": "vc", "test": "vd"},
        ),
        (
            {"validation_from": "1970-01-01T02:00:02+02:00", "test_from": "1970-01-01T00:00:03"},
            {"train": "ua ub", "validation": "vc", "test": "vd"},
        ),
    ],
    ids=["no time between", "an end after all", "a begin", "a time zone"],
)
def test_moments_are_at_the_first_interaction_of_the_later_part(moments, parts):
    rows = rows_of("u a 0", "u b 1000000", "v c 2000000", "v d 3000000")
    assert items_by_part(TemporalSplitter(**moments).split(dataset_of(rows))) == parts


@pytest.mark.parametrize("key", ["train_from", "validation_from", "test_from", "test_until"])
@pytest.mark.parametrize("moment", [0.0, 1.0, "May"])
def test_an_impossible_moment_is_an_error_that_names_its_key(key, moment):
    moments = {"train_from": 0.1, "validation_from": 0.2, "test_from": 0.3, "test_until": 0.4}
    with pytest.raises(ConfigError, match=rf"split\.{key} is '?{moment}'?; expected"):
        TemporalSplitter(**moments | {key: moment})


@pytest.mark.parametrize(
    ("moments", "message"),
    [
        ({"train_from": 0.5, "validation_from": 0.4, "test_from": 0.6}, r"train_from \(0.5\) is after"),
        ({"validation_from": 0.4, "test_from": 0.6, "test_until": 0.5}, r"test_from \(0.6\) is after"),
        ({"validation_from": 0.4, "test_from": "2015-01-01"}, "give two dates or two shares"),
        (
            {"validation_from": 0.4, "test_from": 1.5},
            r"split\.test_from is 1\.5; expected .* above 0 and below 1, or an ISO date",
        ),
    ],
)
def test_impossible_moments_are_refused(moments, message):
    with pytest.raises(ConfigError, match=message):
        TemporalSplitter(**moments)


@pytest.mark.parametrize("end", ["train_from", "test_until"])
def test_the_ends_of_a_period_need_its_cuts(end):
    with pytest.raises(ConfigError, match=r"need split\.test_from"):
        TemporalSplitter(**{end: 0.8})


def test_the_ends_are_part_of_the_identity_where_they_are_set():
    cuts = {"validation_from": 0.5, "test_from": 0.6}
    assert not {"train_from", "test_until"} & TemporalSplitter(**cuts).identity().keys()
    identity = TemporalSplitter(train_from=0.2, test_until=0.8, **cuts).identity()
    assert {"train_from": 0.2, "test_until": 0.8}.items() <= identity.items()
