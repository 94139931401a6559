"""Learning from a share of the train part changes what is learnt from, and nothing that is judged."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recsys import schema
from recsys.config.compose import build, compose
from recsys.data.queries import stage_queries
from recsys.experiment.build import metric_context
from recsys.experiment.inputs import load_split
from recsys.schema import ConfigError

PAIR = [schema.USER, schema.ITEM]


def split_of(cache_dir, *overrides):
    return load_split(compose(["data=synthetic", f"paths.cache_dir={cache_dir}", *overrides]))


@pytest.fixture
def whole(cache_dir):
    return split_of(cache_dir)


def test_half_of_the_train_part_is_learnt_from(whole, cache_dir):
    half = split_of(cache_dir, "train_share=0.5")
    assert half.train.height == round(whole.train.height / 2)
    assert half.item_counts.sum() == half.train.height
    both = half.whole.train.select(PAIR).sort(PAIR)
    assert both.equals(whole.train.select(PAIR).sort(PAIR))


def test_a_smaller_share_is_part_of_a_larger(cache_dir):
    small, large = (split_of(cache_dir, f"train_share={share}").train.select(PAIR) for share in (0.2, 0.6))
    assert small.join(large, on=PAIR, how="anti").is_empty()


def test_each_user_keeps_so_many_and_a_smaller_number_is_part_of_a_larger(whole, cache_dir):
    few, more = (split_of(cache_dir, f"train_per_user={n}").train for n in (2, 5))
    assert few.select(PAIR).join(more, on=PAIR, how="anti").is_empty()
    for kept, n in ((few, 2), (more, 5)):
        had, has = (np.bincount(train[schema.USER], minlength=whole.dataset.n_users) for train in (whole.train, kept))
        assert (had > n).any()
        assert np.array_equal(has, np.minimum(had, n))


def test_a_number_for_each_user_alone_is_of_the_whole_train_part(whole, cache_dir):
    assert whole.subsample_train(per_user=3).train.equals(split_of(cache_dir, "train_per_user=3").train)


def test_what_a_user_keeps_is_drawn_of_old_and_new_alike(whole, cache_dir):
    one = split_of(cache_dir, "train_per_user=1").train
    ordered = whole.train.sort(schema.USER, schema.TIMESTAMP).with_columns(n=pl.len().over(schema.USER))
    place = (pl.int_range(pl.len()).over(schema.USER) + 0.5) / pl.col("n")
    places = ordered.with_columns(place=place).join(one, on=PAIR, how="semi")["place"]
    assert abs(places.mean() - 0.5) < 4 * places.std() / len(places) ** 0.5


def test_share_and_number_go_together(cache_dir):
    both = split_of(cache_dir, "train_share=0.3", "train_per_user=2").train.select(PAIR)
    for one in ("train_share=0.3", "train_per_user=2"):
        assert both.height < split_of(cache_dir, one).train.height
    share = split_of(cache_dir, "train_share=0.3").train.select(PAIR)
    assert both.join(share, on=PAIR, how="anti").is_empty()


@pytest.mark.parametrize("changed", ["train_share=0.5", "train_per_user=2"])
def test_what_is_judged_stays_the_same(changed, whole, cache_dir):
    half = split_of(cache_dir, changed)
    assert half.fingerprint == whole.fingerprint
    for stage in (schema.VAL, schema.TEST):
        one, other = stage_queries(whole, stage), stage_queries(half, stage)
        assert np.array_equal(one.users, other.users)
        for user in one.users[:50]:
            assert set(one.history[user]) == set(other.history[user])
            assert np.array_equal(one.positives[user], other.positives[user])
    assert metric_context(half).item_counts.equal(metric_context(whole).item_counts)


@pytest.mark.parametrize("share", ["0", "1.5", "all"])
def test_an_impossible_share_is_refused(share, cache_dir):
    with pytest.raises(ConfigError, match=r"train_share is .*; expected a finite number above 0 and at most 1"):
        split_of(cache_dir, f"train_share={share}")


@pytest.mark.parametrize("number", ["0", "1.5", "few"])
def test_an_impossible_number_is_refused(number, cache_dir):
    with pytest.raises(ConfigError, match=r"train_per_user is .*; expected a whole number of at least 1, or null"):
        split_of(cache_dir, f"train_per_user={number}")


def test_the_whole_is_itself(whole):
    assert whole.subsample_train() is whole.subsample_train(1.0) is whole
    assert whole.whole is whole
    assert build("split", compose().split).name == "user_temporal"


def test_models_read_another_text_while_lists_are_judged_by_the_datas_own(whole, cache_dir):
    other = split_of(cache_dir, "item_text='about {categories}'")
    assert other.dataset.texts != whole.dataset.texts
    assert all(text == "" or text.startswith("about ") for text in other.dataset.texts)
    assert (other.fingerprint, other.dataset.fingerprint) == (whole.fingerprint, whole.dataset.fingerprint)
    assert (metric_context(other).item_text_vectors != metric_context(whole).item_text_vectors).nnz == 0


def test_a_field_that_the_catalogue_lacks_is_named(cache_dir):
    with pytest.raises(ConfigError, match="item_text: the catalogue has no column 'colour'; it has item_id"):
        split_of(cache_dir, "item_text='{colour}'")
