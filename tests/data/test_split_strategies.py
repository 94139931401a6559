"""Each strategy keeps the contract, and gives what it says on data small enough to follow by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import polars as pl
import pytest
from data.split_contract import (
    ShareContract,
    SplitContract,
    dataset_of,
    id_hash,
    items_by_part,
    log_rows,
    named,
    rows_of,
    tie_hash,
)

from recsys.data.splits.base import Splitter
from recsys.data.splits.cold_items import ColdItemsSplitter
from recsys.data.splits.cold_users import ColdUsersSplitter
from recsys.data.splits.given import GivenSplitter
from recsys.data.splits.leave_last_out import LeaveLastOutSplitter
from recsys.data.splits.random import RandomSplitter
from recsys.data.splits.temporal import TemporalSplitter
from recsys.data.splits.user_temporal import UserTemporalSplitter
from recsys.schema import ConfigError


def assert_each_user_goes_forward(split) -> None:
    """Nothing that a user did in a part is later than anything it did in the next one."""
    first, last = pl.col("timestamp").min(), pl.col("timestamp").max()
    parts = (split.train, split.validation, split.test)
    spans = [part.group_by("user").agg(first=first, last=last) for part in parts]
    for earlier, later in (spans[:2], spans[1:], spans[::2]):
        both = earlier.join(later, on="user", suffix="_later")
        assert both.height > 0
        assert (both["last"] <= both["first_later"]).all()


class TestUserTemporal(ShareContract):
    needs_timestamps = True

    def make(self, **parameters) -> Splitter:
        return UserTemporalSplitter(**parameters)

    def test_the_newest_of_each_user_are_held_out(self):
        rows = rows_of("u c 3", "u a 1", "u e 5", "u b 2", "u d 4", "v a 9")
        split = self.make(test_share=1 / 5, validation_share=1 / 5).split(dataset_of(rows))
        assert items_by_part(split) == {"train": "ua ub uc va", "validation": "ud", "test": "ue"}

    @pytest.mark.parametrize(
        ("n", "expected"),
        # test 0.2 n, validation 0.1 n, a half goes to the even number: 2 has .4 and .2, 3 has .6 and .3, 5 has 1 and .5
        [(2, (2, 0, 0)), (3, (2, 0, 1)), (5, (4, 0, 1)), (6, (4, 1, 1)), (10, (7, 1, 2)), (15, (10, 2, 3))],
    )
    def test_shares_are_rounded(self, n, expected):
        rows = rows_of(*(f"u item{time} {time}" for time in range(n)), *(f"v item{time} {time}" for time in range(20)))
        split = self.make().split(dataset_of(rows))
        sizes = tuple(
            (named(part, split)["user_id"] == "u").sum() for part in (split.train, split.validation, split.test)
        )
        assert sizes == expected

    def test_the_oldest_stays_in_train_whatever_the_shares(self):
        rows = rows_of("u a 1", "v a 1", "v b 2", "w a 1", "w b 2", "w c 3")
        split = self.make(test_share=0.9, validation_share=0.09).split(dataset_of(rows))
        assert items_by_part(split) == {"train": "ua va wa", "test": "vb wb wc"}
        split = self.make(test_share=0.5, validation_share=0.49).split(dataset_of(rows))  # of w: 1.5 and 1.47
        assert items_by_part(split) == {"train": "ua va wa", "test": "vb wb wc"}

    def test_each_user_goes_forward_in_time(self):
        assert_each_user_goes_forward(self.make().split(dataset_of(log_rows())))


class TestLeaveLastOut(SplitContract):
    needs_timestamps = True

    def make(self, **parameters) -> Splitter:
        return LeaveLastOutSplitter(**parameters)

    def test_last_and_last_but_one(self):
        split = self.make().split(dataset_of(rows_of("u c 3", "u a 1", "u b 2", "v b 1", "v a 2", "w a 1")))
        assert items_by_part(split) == {"train": "ua vb wa", "validation": "ub", "test": "uc va"}

    def test_each_user_goes_forward_in_time(self):
        assert_each_user_goes_forward(self.make().split(dataset_of(log_rows())))

    def test_a_tie_is_broken_by_the_hash(self):
        rows = rows_of("u a 5", "u b 5", "v a 5", "v b 5", "w a 5", "w b 5")
        for seed in range(5):
            held_out = [max("ab", key=lambda item, user=user: tie_hash(user, item, seed)) for user in "uvw"]
            expected = " ".join(f"{user}{item}" for user, item in zip("uvw", held_out, strict=True))
            assert items_by_part(self.make(seed=seed).split(dataset_of(rows)))["test"] == expected


MIDDLE = {"test_from": "1970-01-01T00:00:00.000008", "validation_from": "1970-01-01T00:00:00.000004"}


class TestTemporal(ShareContract):
    needs_timestamps = True
    seed_matters = False
    parameters: ClassVar[dict] = {
        **ShareContract.parameters,
        "test_from": "1970-01-01T00:00:00.000009",
        "validation_from": "1970-01-01T00:00:00.000005",
        "train_from": "1970-01-01T00:00:00.000002",
        "test_until": "1970-01-01T00:00:00.000011",
    }

    def make(self, **parameters) -> Splitter:
        moments = {"test_from", "validation_from", "train_from", "test_until"} & set(parameters)
        if moments and not set(MIDDLE) <= moments:
            parameters = {**MIDDLE, **parameters}
        return TemporalSplitter(**parameters)

    def test_one_cut_for_all_and_ties_go_to_the_later_part(self):
        rows = rows_of("u a 4", "u b 1", "v a 5", "v c 4", "w b 2", "w c 3")
        split = self.make(test_share=1 / 6, validation_share=1 / 6).split(dataset_of(rows))
        assert items_by_part(split) == {"train": "ub wb wc", "validation": "ua vc", "test": "va"}
        assert split.statistics["tied_cuts"] == 0

    def test_dates_take_the_place_of_shares(self):
        day = 86_400 * 10**6
        rows = rows_of(f"u a {day}", f"u b {2 * day}", f"v a {3 * day - 1}", f"v b {3 * day}", "w a 0", "w c 99")
        dates = {"validation_from": "1970-01-03", "test_from": "1970-01-04T00:00:00+00:00"}
        split = self.make(**dates).split(dataset_of(rows))
        assert items_by_part(split) == {"train": "ua wa wc", "validation": "ub va", "test": "vb"}

    def test_nothing_later_than_the_cut_is_in_train(self):
        split = self.make().split(dataset_of(log_rows()))
        assert split.train["timestamp"].max() < split.validation["timestamp"].min()
        assert split.validation["timestamp"].max() < split.test["timestamp"].min()

    def test_one_time_for_all_leaves_nothing_to_train_on(self):
        with pytest.raises(ConfigError, match="split=temporal leaves 0 train and 3 test interactions of 3"):
            self.make().split(dataset_of(rows_of("u a 4", "u b 4", "v a 4")))

    def test_impossible_dates_are_refused_by_name(self):
        with pytest.raises(ConfigError, match=r"split\.test_from is 'May'; expected an ISO date"):
            TemporalSplitter(test_from="May", validation_from="2015-01-01")
        with pytest.raises(ConfigError, match="go together"):
            TemporalSplitter(test_from="2015-01-01")
        with pytest.raises(ConfigError, match=r"split\.validation_from \(2016-01-01\) is after split\.test_from"):
            TemporalSplitter(test_from="2015-01-01", validation_from="2016-01-01")


class TestRandom(ShareContract):
    def make(self, **parameters) -> Splitter:
        return RandomSplitter(**parameters)

    def test_drawn_by_the_hash_of_user_and_item(self):
        rows = rows_of("u a 1", "u b 2", "u c 3", "u d 4", "u e 5", "v a 1")
        for seed in (0, 1):
            drawn = sorted("abcde", key=lambda item: tie_hash("u", item, seed + 2**32))
            split = self.make(seed=seed, test_share=1 / 5, validation_share=1 / 5).split(dataset_of(rows))
            train = "".join(f"u{item} " for item in sorted(drawn[:3]))
            assert items_by_part(split) == {"train": f"{train}va", "validation": f"u{drawn[3]}", "test": f"u{drawn[4]}"}

    def test_eighty_twenty(self):
        split = self.make(test_share=0.2, validation_share=0).split(dataset_of(log_rows()))
        per_user = split.dataset.interactions.group_by("user").len()["len"]
        assert split.test.height == sum(round(0.2 * n) for n in per_user)
        assert split.train.height == sum(n - round(0.2 * n) for n in per_user)

    def test_the_draw_has_nothing_to_do_with_time(self):
        split = self.make().split(dataset_of(log_rows()))
        everything = split.dataset.interactions["timestamp"]
        standard_error = everything.std() / split.test.height**0.5
        assert abs(split.test["timestamp"].mean() - everything.mean()) < 3 * standard_error


class TestColdItems(ShareContract):
    def make(self, **parameters) -> Splitter:
        return ColdItemsSplitter(**parameters)

    def test_items_are_drawn_by_their_hash(self):
        rows = rows_of("u a 1", "u b 2", "u c 3", "v d 4", "v e 5", "v a 6")
        drawn = sorted("abcde", key=lambda item: id_hash(item, 4))
        split = self.make(seed=4, test_share=1 / 5, validation_share=1 / 5).split(dataset_of(rows))
        assert set(named(split.test, split)["item_id"]) == {drawn[0]}
        assert set(named(split.validation, split)["item_id"]) == {drawn[1]}
        assert set(named(split.train, split)["item_id"]) == set(drawn[2:])

    def test_an_item_is_held_out_whole(self):
        split = self.make().split(dataset_of(log_rows()))
        train, validation, test = (set(part["item"]) for part in (split.train, split.validation, split.test))
        assert not train & validation
        assert not (train | validation) & test
        assert (len(train), len(validation), len(test)) == (28, 4, 8)  # of 40 items

    def test_items_without_interactions_are_not_drawn(self):
        data = dataset_of(rows_of("u a 1", "u b 2", "v a 1", "v c 2"))
        unseen = pl.DataFrame({"item_id": [f"unseen {n}" for n in range(30)], "text": ["a film"] * 30})
        wider = type(data)("toy", data.interactions, pl.concat([data.items, unseen]), data.users)
        split = self.make(test_share=1 / 3, validation_share=1 / 3).split(wider)
        assert [part["item"].n_unique() for part in (split.train, split.validation, split.test)] == [1, 1, 1]
        assert split.dataset.n_items == 33


class TestColdUsers(ShareContract):
    parameters: ClassVar[dict] = {**ShareContract.parameters, "fold_in_share": 0.5}

    def make(self, **parameters) -> Splitter:
        return ColdUsersSplitter(**parameters)

    def test_the_oldest_share_of_a_held_out_user_is_known(self):
        rows = rows_of(*(f"{user} {item} {time}" for user in "uvw" for time, item in enumerate("abcde")))
        tested, validated, trained = sorted("uvw", key=lambda user: id_hash(user, 2))
        split = self.make(seed=2, test_share=1 / 3, validation_share=1 / 3, fold_in_share=3 / 5).split(dataset_of(rows))
        assert items_by_part(split) == {
            "train": " ".join(f"{trained}{item}" for item in "abcde"),
            "validation": f"{validated}d {validated}e",
            "test": f"{tested}d {tested}e",
            "fold_in": " ".join(f"{user}{item}" for user in sorted(tested + validated) for item in "abc"),
        }

    @pytest.mark.parametrize(
        ("size", "share", "known"), [(1, 0.8, 1), (2, 0.9, 1), (2, 0.1, 1), (5, 0.5, 2), (5, 0.8, 4), (10, 0.8, 8)]
    )
    def test_one_is_known_and_one_is_to_be_found_if_there_are_two(self, size, share, known):
        rows = rows_of(
            *(f"user{user} item{time} {time}" for user in range(10) for time in range(20 if user % 5 else size))
        )
        split = self.make(test_share=0.9, validation_share=0, fold_in_share=share).split(dataset_of(rows))
        small = {f"user{user}" for user in (0, 5)} - set(named(split.train, split)["user_id"])
        fold_in, test = (named(part, split)["user_id"] for part in (split.fold_in, split.test))
        assert small
        for user in small:
            assert ((fold_in == user).sum(), (test == user).sum()) == (known, size - known)

    def test_a_user_is_held_out_whole_and_served_from_its_fold_in(self):
        split = self.make().split(dataset_of(log_rows()))
        train, validation, test = (set(part["user"]) for part in (split.train, split.validation, split.test))
        assert (len(train), len(validation), len(test)) == (42, 6, 12)  # of 60 users
        assert not train & (validation | test)
        assert not validation & test
        assert set(split.fold_in["user"]) == validation | test
        assert set(split.known("test")["user"]) == train | validation | test

    def test_low_ratings_of_the_time_of_the_targets_are_unknown(self):
        rows = rows_of(*(f"{user} {item} {time}" for user in "uvw" for time, item in enumerate("abcde")))
        low = rows_of(*(f"{user} f 9" for user in "uvw"), value=[1.0, 1.0, 1.0])
        rows = pl.concat([rows.with_columns(value=pl.lit(5.0)), low])
        tested, validated, trained = sorted("uvw", key=lambda user: id_hash(user, 2))
        splitter = self.make(seed=2, test_share=1 / 3, validation_share=1 / 3, fold_in_share=3 / 5, min_rating=3)
        low_rated = splitter.split(dataset_of(rows)).low_rated
        parts = {"uvw"[user]: part for user, part in low_rated.select("user", "part").rows()}
        assert parts == {trained: 0, validated: 1, tested: 2}

    def test_targets_are_not_older_than_what_is_known(self):
        split = self.make().split(dataset_of(log_rows()))
        known = split.fold_in.group_by("user").agg(pl.col("timestamp").max())
        both = pl.concat([split.validation, split.test]).join(known, on="user", suffix="_known")
        assert (both["timestamp"] >= both["timestamp_known"]).all()

    def test_an_impossible_fold_in_share_is_refused_by_name(self):
        with pytest.raises(ConfigError, match=r"split\.fold_in_share is 1;"):
            self.make(fold_in_share=1)


class TestGiven(SplitContract):
    seed_matters = False

    def make(self, **parameters) -> Splitter:
        return GivenSplitter(**parameters)

    def test_the_column_decides(self):
        rows = rows_of("u a 3", "u b 2", "u c 1", "v a 1", part=["train", "val", "test", "train"])
        assert items_by_part(self.make().split(dataset_of(rows))) == {
            "train": "ua va",
            "validation": "ub",
            "test": "uc",
        }

    def test_impressions_keep_their_own_parts(self):
        columns = {"user": [0], "part": ["test"], "history": [[1]], "candidates": [[2]], "clicked": [[True]]}
        shown = pl.DataFrame(columns)
        assert self.make().split(replace(dataset_of(log_rows()), impressions=shown)).dataset.impressions is shown

    def test_data_without_the_column_is_refused(self):
        with pytest.raises(
            ConfigError, match=r"a column 'part', and toy has none: .*data\.interactions\.part.*split=user_temporal"
        ):
            self.make().split(dataset_of(rows_of("u a 1")))

    @pytest.mark.parametrize("wrong", ["dev", None])
    def test_another_word_is_refused(self, wrong):
        rows = rows_of("u a 1", "u b 2", part=["train", wrong])
        with pytest.raises(ConfigError, match=r"column 'part' of toy has .*; expected train, val or test"):
            self.make().split(dataset_of(rows))
