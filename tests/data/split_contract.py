"""What every splitter must keep to: a test class inherits SplitContract and gets these checks for its strategy."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from recsys.data.dataset import Dataset
from recsys.data.splits.base import Splitter
from recsys.data.splits.split import PARTS, Split
from recsys.data.splits.ties import ordered
from recsys.schema import ConfigError

PART_NAMES = ("train", "validation", "test", "fold_in")


def dataset_of(rows: pl.DataFrame, shuffled: int | None = None) -> Dataset:
    """A data set of rows with raw ids; indices are given in the order of appearance, so shuffling changes them."""
    if shuffled is not None:
        rows = rows.sample(fraction=1.0, shuffle=True, seed=shuffled)
    tables = {
        side: rows.select(f"{side}_id").unique(maintain_order=True).with_row_index(side) for side in ("user", "item")
    }
    for side, table in tables.items():
        rows = rows.join(table, on=f"{side}_id", maintain_order="left").with_columns(pl.col(side).cast(pl.Int32))
    items = tables["item"].select("item_id", pl.lit("a film").alias("text"))
    return Dataset("toy", rows.drop("user_id", "item_id"), items, tables["user"].select("user_id"))


def rows_of(*interactions: str, **columns: list) -> pl.DataFrame:
    """Rows out of "user item timestamp" words.

    >>> rows_of("u a 1").columns
    ['user_id', 'item_id', 'timestamp', 'value']
    """
    words = [interaction.split() for interaction in interactions]
    users, items, times = zip(*words, strict=True)
    frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": [int(time) for time in times], **columns})
    return frame if "value" in columns else frame.with_columns(pl.lit(1.0, pl.Float32).alias("value"))


def log_rows(seed: int = 0) -> pl.DataFrame:
    """60 users of 2 to 15 interactions over 40 items, at few distinct times, so that ties are everywhere."""
    rng = np.random.default_rng(seed)
    chosen = [(user, item) for user in range(60) for item in rng.permutation(40)[: rng.integers(2, 16)]]
    n = len(chosen)
    return pl.DataFrame(
        {
            "user_id": [f"user {user}" for user, _ in chosen],
            "item_id": [f"item {item}" for _, item in chosen],
            "timestamp": rng.integers(0, 12, n),
            "value": rng.integers(1, 6, n).astype(np.float32),
            "part": rng.choice(["train", "val", "test"], n),
        }
    )


def named(frame: pl.DataFrame, split: Split) -> pl.DataFrame:
    """A part with raw ids, by user; a user's rows stay in their order."""
    users = split.dataset.users["user_id"].gather(frame["user"])
    items = split.dataset.items["item_id"].gather(frame["item"])
    return frame.with_columns(users, items).drop("user", "item").sort("user_id", maintain_order=True)


def parts_by_pair(split: Split) -> dict[str, str]:
    """The part of each "user item"."""
    return {
        f"{row['user_id']} {row['item_id']}": part
        for part in PART_NAMES
        for row in named(getattr(split, part), split).to_dicts()
    }


def items_by_part(split: Split) -> dict[str, str]:
    """The "user item" pairs of each part, in the order of users and rows, for parts that have any."""
    frames = {part: named(getattr(split, part), split) for part in PART_NAMES}
    pairs = {part: [f"{row['user_id']}{row['item_id']}" for row in frame.to_dicts()] for part, frame in frames.items()}
    return {part: " ".join(found) for part, found in pairs.items() if found}


def mixed(value: int) -> int:
    """splitmix64's finaliser in whole numbers."""
    value = (value + 0x9E3779B97F4A7C15) % 2**64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
    return value ^ (value >> 31)


def digest(raw_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(raw_id.encode(), digest_size=8).digest(), "little")


def id_hash(raw_id: str, seed: int) -> int:
    return mixed(digest(raw_id) ^ seed)


def tie_hash(user_id: str, item_id: str, seed: int) -> int:
    """The rule by which equal timestamps are ordered, written anew without numpy."""
    return mixed(id_hash(user_id, seed) ^ digest(item_id))


class SplitContract:
    seed_matters = True  # whether another seed gives other parts on the log
    parameters: ClassVar[dict[str, Any]] = {}  # another value for each parameter of the strategy's own
    needs_timestamps = False

    def make(self, **parameters: Any) -> Splitter:
        raise NotImplementedError

    def test_parts_are_disjoint_and_cover_the_data(self):
        split = self.make().split(dataset_of(log_rows()))
        assert sum(getattr(split, part).height for part in PART_NAMES) == log_rows().height
        pairs = set(log_rows().select(pl.concat_str("user_id", "item_id", separator=" ")).to_series())
        assert set(parts_by_pair(split)) == pairs

    def test_each_interaction_has_the_number_of_a_part(self):
        data = dataset_of(log_rows())
        part = self.make().assign(ordered(data, 0), data)
        assert part.dtype == np.int8
        assert part.shape == (data.interactions.height,)
        assert set(part.tolist()) <= {*PARTS}

    def test_the_same_seed_gives_the_same_split(self):
        first, second = (self.make(seed=3).split(dataset_of(log_rows())) for _ in range(2))
        assert first.fingerprint == second.fingerprint
        for part in PART_NAMES:
            assert getattr(first, part).equals(getattr(second, part))

    def test_another_seed_gives_another_split_where_anything_is_drawn(self):
        first, second = (parts_by_pair(self.make(seed=seed).split(dataset_of(log_rows()))) for seed in (0, 1))
        assert (first != second) == self.seed_matters

    def test_neither_file_order_nor_indices_matter(self):
        plain = self.make().split(dataset_of(log_rows()))
        shuffled = self.make().split(dataset_of(log_rows(), shuffled=5))
        for part in PART_NAMES:
            assert named(getattr(plain, part), plain).equals(named(getattr(shuffled, part), shuffled))

    def test_rows_stand_by_user_then_time_then_seeded_hash(self):
        split = self.make(seed=7).split(dataset_of(log_rows()))
        for part in PART_NAMES:
            rows = named(getattr(split, part), split).to_dicts()
            keys = [(r["user_id"], r["timestamp"], tie_hash(r["user_id"], r["item_id"], 7)) for r in rows]
            assert keys == sorted(keys)
            assert getattr(split, part)["user"].is_sorted()

    def test_the_fingerprint_changes_with_the_data(self):
        prints = [self.make().split(dataset_of(log_rows(seed))).fingerprint for seed in (0, 1)]
        assert prints[0] != prints[1]
        content = json.dumps([dataset_of(log_rows()).fingerprint, self.make().identity()], sort_keys=True)
        assert prints[0] == hashlib.sha256(content.encode()).hexdigest()[:16]

    def test_the_fingerprint_changes_with_each_parameter(self):
        other = {"seed": 1, "min_rating": 2.0, "user_k_core": 2, "item_k_core": 2, "mask_low_rated": False}
        other |= self.parameters
        data = dataset_of(log_rows())
        prints = [self.make(**{key: value}).split(data).fingerprint for key, value in other.items()]
        assert len({self.make().split(data).fingerprint, *prints}) == 1 + len(other)
        assert set(vars(self.make())) == set(other), "every parameter is tried above"

    def test_the_identity_is_plain(self):
        identity = self.make().identity()
        assert json.loads(json.dumps(identity)) == identity
        assert identity["split"] == type(self.make()).__module__.rpartition(".")[2]

    def test_without_timestamps_it_works_or_says_what_to_use(self):
        timeless = dataset_of(log_rows().drop("timestamp"))
        if self.needs_timestamps:
            with pytest.raises(ConfigError, match=f"split={self.make().name} needs timestamps.*split=random"):
                self.make().split(timeless)
        else:
            split = self.make().split(timeless)
            assert split.train.height + split.validation.height + split.test.height + split.fold_in.height == len(
                log_rows()
            )
            assert split.statistics["tied_cuts"] is None

    def test_impressions_are_not_split_twice(self):
        shown = pl.DataFrame(
            {"user": [0], "part": ["test"], "history": [[1]], "candidates": [[2]], "clicked": [[True]]}
        )
        data = replace(dataset_of(log_rows()), impressions=shown)
        if self.make().takes_impressions:
            assert self.make().split(data).dataset.impressions is shown
            with pytest.raises(ConfigError, match=r"with no filters, not split=given split.min_rating=2"):
                self.make(min_rating=2).split(data)
        else:
            with pytest.raises(ConfigError, match="use split=given"):
                self.make().split(data)

    def test_what_was_rated_low_before_a_stage_is_masked_in_it(self):
        split = self.make(min_rating=3).split(dataset_of(log_rows()))
        n_low = log_rows().filter(pl.col("value") < 3).height
        assert split.low_rated is not None
        assert split.low_rated.height == n_low > 0
        for stage, known in (("val", [0]), ("test", [0, 1])):
            masked = set(split.masked(stage).rows())
            expected = split.low_rated.filter(pl.col("part").is_in(known)).select("user", "item").rows()
            assert set(expected) <= masked
            assert not masked & set(split.targets(stage).select("user", "item").rows())
            assert (
                len(masked) == len(expected) + split.known(stage).height + (stage == "test") * split.validation.height
            )
        assert self.make(min_rating=3, mask_low_rated=False).split(dataset_of(log_rows())).low_rated is None

    def test_a_refitted_split_learns_from_validation_and_tests_the_same(self):
        split = self.make().split(dataset_of(log_rows()))
        refitted = split.refit()
        assert refitted.validation.is_empty()
        assert refitted.test.equals(split.test)
        assert set(split.train.rows()) | set(split.validation.rows()) <= set(refitted.train.rows())
        assert refitted.train.height + refitted.fold_in.height == sum(
            getattr(split, part).height for part in ("train", "validation", "fold_in")
        )
        tested = set(split.test["user"])
        assert not tested & set(refitted.train.join(split.fold_in, on=["user", "item"], how="semi")["user"])
        assert set(refitted.masked("test").rows()) == set(split.masked("test").rows()) | set(
            split.fold_in.select("user", "item").rows()
        )
        everything = split.refit("all")
        assert everything.train.height == log_rows().height
        assert everything.test.is_empty()
        assert everything.fold_in.is_empty()

    def test_the_test_knows_nothing_of_validation_before_the_refit(self):
        split = self.make().split(dataset_of(log_rows()))
        validation = set(split.validation.select("user", "item").rows())
        known = set(split.known("test").select("user", "item").rows())
        assert validation
        assert not validation & known
        assert validation <= set(split.masked("test").rows())

    def test_filters_that_leave_nothing_are_refused_by_name(self):
        with pytest.raises(ConfigError, match=r"split.user_k_core=100 leaves nothing of the \d+ interactions of toy"):
            self.make(user_k_core=100).split(dataset_of(log_rows()))

    @pytest.mark.parametrize(
        ("key", "value"),
        [("seed", -1), ("seed", 1.5), ("seed", None), ("user_k_core", 0), ("item_k_core", 2.5), ("min_rating", "4")],
    )
    def test_an_impossible_value_is_refused_by_name(self, key, value):
        with pytest.raises(ConfigError, match=rf"split\.{key} is {value!r}"):
            self.make(**{key: value})


class ShareContract(SplitContract):
    """For strategies with `test_share` and `validation_share`."""

    parameters: ClassVar[dict[str, Any]] = {"test_share": 0.3, "validation_share": 0.2}

    @pytest.mark.parametrize("share", [0, 1, -0.1, float("nan"), "0.2", True])
    def test_an_impossible_test_share_is_refused_by_name(self, share):
        with pytest.raises(ConfigError, match=r"split\.test_share is"):
            self.make(test_share=share)

    @pytest.mark.parametrize("share", [1, -0.1, float("nan"), None])
    def test_an_impossible_validation_share_is_refused_by_name(self, share):
        with pytest.raises(ConfigError, match=r"split\.validation_share is"):
            self.make(validation_share=share)

    def test_shares_that_leave_nothing_to_train_on_are_refused(self):
        with pytest.raises(ConfigError, match=r"split\.test_share=0\.6 and split\.validation_share=0\.4 leave nothing"):
            self.make(test_share=0.6, validation_share=0.4)

    def test_without_a_validation_share_there_is_none(self):
        split = self.make(validation_share=0).split(dataset_of(log_rows()))
        assert split.validation.is_empty()
        assert split.test.height > 0
