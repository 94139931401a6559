"""What a split gives in each stage, and its changes for a refit, a sample of train and other texts, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from data.split_contract import dataset_of, rows_of

from recsys.data.splits.base import small_test_warnings
from recsys.data.splits.cold_items import ColdItemsSplitter
from recsys.data.splits.cold_users import ColdUsersSplitter
from recsys.data.splits.given import GivenSplitter
from recsys.data.splits.held_out import held_out_parts
from recsys.data.splits.leave_last_out import LeaveLastOutSplitter
from recsys.data.splits.split import Split, occurs
from recsys.data.splits.temporal import TemporalSplitter
from recsys.data.splits.user_temporal import newest_shares
from recsys.schema import ConfigError

# User 0 is trained on; users 1 and 2 are held out for validation and test; user 3 is held out for both.
PARTS = {
    "train": [(0, 0, 1), (0, 1, 3)],
    "validation": [(0, 2, 2), (1, 3, 5), (3, 5, 6)],
    "test": [(0, 3, 9), (2, 1, 8), (3, 6, 9)],
    "fold_in": [(1, 0, 4), (2, 2, 4), (3, 4, 4)],
}


def frame(rows: list[tuple[int, ...]], *more: str) -> pl.DataFrame:
    names = ["user", "item", "timestamp", *more]
    return pl.DataFrame(rows, dict.fromkeys(names, pl.Int32), orient="row")


def split_of(**changed) -> Split:
    parts = {name: frame(rows) for name, rows in PARTS.items()}
    items = pl.DataFrame({"item_id": list("abcdefgh"), "text": ["a film"] * 8, "genres": [["x"]] * 8, "year": range(8)})
    whole = dataset_of(rows_of("u a 1"))
    data = replace(whole, items=items, users=pl.DataFrame({"user_id": list("uvwxy")}))
    return replace(Split(data, **parts, name="toy", fingerprint="ab"), **changed)


def pairs(rows: pl.DataFrame) -> list[tuple[int, int]]:
    return sorted(rows.select("user", "item").rows())


TRAIN, VALIDATION, FOLD_IN = ([row[:2] for row in PARTS[name]] for name in ("train", "validation", "fold_in"))


@pytest.mark.parametrize(
    ("stage", "known", "before"),
    [
        ("train", TRAIN, TRAIN),
        ("val", TRAIN + FOLD_IN, TRAIN + FOLD_IN),
        ("test", TRAIN + FOLD_IN, TRAIN + FOLD_IN + VALIDATION),
    ],
)
def test_each_stage_has_its_targets_what_is_known_and_what_happened_before(stage, known, before):
    split = split_of()
    assert split.targets(stage).equals({"train": split.train, "val": split.validation, "test": split.test}[stage])
    assert pairs(split.known(stage)) == sorted(known)
    assert pairs(split.before(stage)) == pairs(split.masked(stage)) == sorted(before)
    earlier = split_of(earlier=frame([(0, 7, 0)]), low_rated=frame([(0, 4, 1, 0), (1, 5, 5, 1), (2, 6, 9, 2)], "part"))
    low = [(0, 4), (1, 5)] if stage == "test" else [(0, 4)]
    assert pairs(earlier.masked(stage)) == sorted([*before, (0, 7), *low])


def test_a_refit_moves_validation_and_the_fold_in_of_its_users_to_train_in_the_order_of_time():
    refitted = split_of().refit()
    assert refitted.train["user"].to_list() == [0, 0, 0, 1, 1, 3]
    assert refitted.train["item"].to_list() == [0, 2, 1, 0, 3, 5]
    assert pairs(refitted.fold_in) == [(2, 2), (3, 4)]  # user 3 is tested too, so its fold-in stays
    assert refitted.validation.is_empty()
    assert refitted.test.equals(split_of().test)
    everything = split_of().refit("all")
    assert pairs(everything.train) == sorted(row[:2] for rows in PARTS.values() for row in rows)
    assert everything.fold_in.is_empty()
    assert everything.validation.is_empty()
    assert everything.test.is_empty()


def test_all_low_ratings_are_known_to_a_model_that_is_fitted_on_everything():
    split = split_of(low_rated=frame([(0, 4, 1, 0), (1, 5, 5, 1), (2, 6, 9, 2)], "part"))
    assert pairs(split.refit().masked("test")) == sorted([*pairs(split.before("test")), (0, 4), (1, 5)])
    everything = split.refit("all")
    assert pairs(everything.masked("test")) == sorted([*pairs(everything.train), (0, 4), (1, 5), (2, 6)])


def test_equal_times_and_data_without_time_keep_their_order_in_a_refit():
    train, validation = [(0, item, 5) for item in (6, 5, 4)], [(0, item, 5) for item in (3, 2)]
    parts = {"train": frame(train), "validation": frame(validation), "fold_in": frame([]), "test": frame([])}
    assert split_of(**parts).refit().train["item"].to_list() == [6, 5, 4, 3, 2]
    many = parts | {"train": frame([(0, item, item % 2) for item in range(100)]), "validation": frame([])}
    assert split_of(**many).refit().train["item"].to_list() == [*range(0, 100, 2), *range(1, 100, 2)]
    timeless = {name: part.drop("timestamp") for name, part in parts.items()}
    assert split_of(**timeless).refit().train["item"].to_list() == [6, 5, 4, 3, 2]


@pytest.mark.parametrize(("on", "parts"), [("refit", ["train", "train", "test"]), ("all", ["train"] * 3)])
def test_impressions_of_a_refit_are_in_the_part_of_their_interactions(on, parts):
    shown = pl.DataFrame({"part": ["train", "val", "test"], "user": [0, 1, 2]})
    refitted = split_of(dataset=replace(split_of().dataset, impressions=shown)).refit(on)
    assert refitted.dataset.impressions.to_dict(as_series=False) == {"part": parts, "user": [0, 1, 2]}


def test_a_sample_of_train_and_what_it_withholds_are_the_whole_that_is_evaluated():
    train = frame([(user, item, item) for user in range(2) for item in range(5)])
    split = split_of(train=train)
    for share, per_user, n in ((0.3, None, 3), (0.01, None, 1), (1.0, 2, 4), (1.0, 5, 10), (0.9, 1, 2)):
        sample = split.subsample_train(share, per_user)
        assert sample.train.height == n
        assert sample.train["user"].is_sorted()
        assert sample.train.height + sample.withheld.height == 10
        assert sample.whole.withheld is None
        assert sample.whole.whole is sample.whole
        assert pairs(sample.whole.train) == pairs(train)
        assert pairs(sample.known("train")) == pairs(sample.train)
        assert pairs(sample.known("test")) == sorted([*pairs(train), *FOLD_IN])
        assert pairs(sample.whole.refit().train) == pairs(split.refit().train)
        with pytest.raises(ConfigError, match="refitted before a share"):
            sample.refit()
    assert split.subsample_train() is split
    assert split.subsample_train(1.0, None) is split


@pytest.mark.parametrize(("share", "per_user"), [(0.5, None), (1.0, 2)])
def test_impressions_are_not_sampled(share, per_user):
    split = split_of(dataset=replace(split_of().dataset, impressions=pl.DataFrame({"part": ["train"]})))
    assert split.subsample_train() is split
    with pytest.raises(ConfigError, match="cannot be used with the impressions of toy"):
        split.subsample_train(share, per_user)


def test_other_texts_are_read_while_the_data_s_own_are_kept():
    split = split_of()
    assert split.reading(None) is split
    other = split.reading("{item_id} of {genres}")
    assert other.dataset.texts[:2] == ["a of x", "b of x"]
    assert other.data_texts == ["a film"] * 8
    assert split.data_texts is None
    with pytest.raises(ConfigError, match="no column 'year'"):
        split.reading("{year}")


def test_counts_are_of_the_train_part_for_all_users_and_items():
    split = split_of(train=frame([(0, 0, 1), (0, 2, 3), (3, 2, 1)]))
    assert split.item_counts.tolist() == [1, 0, 2, 0, 0, 0, 0, 0]
    assert split.warm_items.tolist() == [True, False, True, False, False, False, False, False]
    assert split.warm_users.tolist() == [True, False, False, True, False]
    assert occurs(pl.Series([1, 1]), 3).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("n_users", "n_new", "n_pairs", "warns"),
    [(100, 0, 1000, False), (99, 0, 1000, True), (100, 0, 999, True), (100, 2, 1000, False), (99, 2, 1000, True)],
)
def test_a_test_part_below_either_of_its_least_sizes_has_a_warning(n_users, n_new, n_pairs, warns):
    users = np.arange(n_pairs) % (n_users + n_new)
    split = split_of(
        dataset=dataset_of(rows_of(*(f"u{user} a 1" for user in range(n_users + n_new)))),
        train=frame([(user, 0, 0) for user in range(n_users - 1)]),
        validation=frame([(n_users - 1, 1, 1)]),  # before the test too
        test=frame([(int(user), item, 2) for item, user in enumerate(users)]),
        fold_in=frame([]),
    )
    found = small_test_warnings(split)
    assert bool(found) == warns
    if warns:
        with_history = f"{n_users} of them" if n_new else "all of them"
        assert f"{n_pairs:,} test interactions of {n_users + n_new} users, {with_history} with a history" in found[0]
        assert "fewer than 1,000 interactions or 100 users with a history" in found[0]


@pytest.mark.parametrize("parts", [["train", "train", "val"], ["test", "val", "test"]])
def test_nothing_to_train_on_or_to_test_is_an_error(parts):
    with pytest.raises(ConfigError, match=r"split=given leaves \d train and \d test interactions of 3"):
        GivenSplitter().split(dataset_of(rows_of("u a 1", "u b 2", "v a 1", part=parts)))


def test_a_low_rating_is_known_from_the_part_on_that_its_column_names():
    rows = rows_of("u a 1", "u b 2", "u c 3", "u d 3", "v e 9", value=[5.0, 5.0, 1.0, 1.0, 1.0])
    rows = rows.with_columns(part=pl.Series(["train", "test", "test", "val", "train"]))
    low_rated = GivenSplitter(min_rating=3).split(dataset_of(rows)).low_rated
    assert low_rated["part"].dtype == pl.Int8
    assert low_rated.select("item", "part").rows() == [(2, 2), (3, 1), (4, 0)]


def test_a_low_rating_of_a_cold_item_is_in_the_part_of_the_item():
    rows = rows_of(*(f"u {item} 1" for item in "abcdefghij"), *(f"v {item} 2" for item in "abcdefghij"))
    rows = rows.with_columns(value=pl.Series([5.0] * 10 + [1.0] * 10))
    split = ColdItemsSplitter(min_rating=3).split(dataset_of(rows))
    assert split.low_rated["part"].dtype == pl.Int8
    parts = dict(split.low_rated.select("item", "part").rows())
    found = {
        item: number for number, part in enumerate((split.train, split.validation, split.test)) for item in part["item"]
    }
    assert parts == found
    assert sorted(parts.values()) == [0] * 7 + [1] + [2] * 2


def test_a_low_rating_at_the_time_of_a_cut_is_in_the_later_part_for_every_user():
    rows = rows_of("u a 1", "u b 3", "u c 5", "v d 2", "v e 3", "v f 4", "v g 5", "v h 6")
    rows = rows.with_columns(value=pl.Series([5.0] * 3 + [1.0] * 5))
    cuts = {"validation_from": 0.33, "test_from": 0.66}
    split = TemporalSplitter(min_rating=3, **cuts).split(dataset_of(rows))
    assert split.low_rated.select("item", "part").rows() == [(3, 0), (4, 1), (5, 1), (6, 2), (7, 2)]
    assert split.low_rated["part"].dtype == pl.Int8
    without = TemporalSplitter(min_rating=3, test_share=1 / 3, validation_share=0).split(dataset_of(rows))
    assert without.low_rated["part"].to_list() == [0, 0, 0, 2, 2]


def test_a_low_rating_of_a_user_without_targets_is_known_to_all_parts():
    rows = rows_of("u a 1", "u b 2", "u c 3", "v a 1", "v d 9", "u e 3", value=[5.0, 5.0, 5.0, 5.0, 1.0, 1.0])
    split = LeaveLastOutSplitter(min_rating=3).split(dataset_of(rows))
    assert split.low_rated.select("user", "part").rows() == [(1, 0), (0, 2)]


def test_held_out_items_are_the_first_by_hash_of_those_that_occur():
    hashes = np.array([5, 4, 3, 2, 1, 0], dtype=np.uint64)
    idx = np.array([0, 1, 1, 2, 3, 4])  # 5 does not occur; of five, 0.4 and 0.2 are two and one
    parts = held_out_parts(idx, hashes, 0.4, 0.2)
    assert parts.tolist() == [0, 0, 1, 2, 2, 0]
    assert parts.dtype == np.int8


@pytest.mark.parametrize(
    ("key", "least", "greatest", "impossible"),
    [
        ("seed", 0, 2**32 - 1, [-1, 2**32]),
        ("user_k_core", 1, None, [0]),
        ("item_k_core", 1, None, [0]),
        ("min_rating", -1.5, None, ["4"]),
        ("mask_low_rated", False, True, [None, 1]),
    ],
)
def test_the_least_and_the_greatest_values_of_the_filters_are_accepted(key, least, greatest, impossible):
    for value in (least, greatest):
        assert getattr(LeaveLastOutSplitter(**{key: value}), key) == value
    for value in impossible:
        with pytest.raises(ConfigError, match=rf"split\.{key} is {value!r}"):
            LeaveLastOutSplitter(**{key: value})


@pytest.mark.parametrize("share", [0, 1, 1.5])
def test_a_fold_in_without_or_with_all_of_a_user_is_an_error(share):
    with pytest.raises(ConfigError, match=rf"split\.fold_in_share is {share};"):
        ColdUsersSplitter(fold_in_share=share)


def test_a_split_of_all_interactions_drops_none_and_has_the_data_as_it_was():
    data = dataset_of(rows_of("u b 2", "u a 1", "u c 3"))
    split = LeaveLastOutSplitter().split(data)
    assert split.statistics == {"dropped": {}, "tied_cuts": 0}
    assert split.dataset is data
    assert split.earlier is None
    assert split.fingerprint == LeaveLastOutSplitter().split(data).fingerprint
    assert len(split.fingerprint) == 16


@pytest.mark.parametrize(
    ("size", "test_share", "validation_share", "parts"),
    [
        (4, 0.3, 0.69, [0, 1, 1, 2]),  # 1.2 and 2.76 are 1 and 3, of which 2 are left beside the oldest
        (3, 0.5, 0.49, [0, 2, 2]),  # 1.5 and 1.47 are 2 and 1
        (1, 0.9, 0.09, [0]),
    ],
)
def test_the_oldest_interaction_stays_in_train(size, test_share, validation_share, parts):
    assert newest_shares(np.zeros(size, dtype=np.int32), test_share, validation_share).tolist() == parts
