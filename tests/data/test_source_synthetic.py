import numpy as np
import polars as pl
import pytest

from recsys.data.sources.synthetic import LATE, START, YEAR, SyntheticSource
from recsys.data.sources.vocabulary import TOPICS
from recsys.schema import ConfigError


@pytest.fixture(scope="module")
def data():
    return SyntheticSource().read()


@pytest.mark.parametrize("sizes", [(20, 40, 100), (1_000, 500, 20_000), (4_000, 3_000, 200_000)])
def test_it_has_the_sizes_that_were_asked_for(sizes):
    n_users, n_items, n_interactions = sizes
    data = SyntheticSource(n_users, n_items, n_interactions).read()
    assert (data.n_users, data.n_items, data.interactions.height) == sizes
    assert data.interactions.select("user", "item").is_unique().all()
    assert data.interactions["user"].n_unique() == n_users


def test_a_seed_is_one_data_set(data):
    assert SyntheticSource().read().fingerprint == data.fingerprint
    assert SyntheticSource(seed=1).read().fingerprint != data.fingerprint


def test_users_keep_to_their_topics(data):
    topic = data.items["categories"].list.first().gather(data.interactions["item"])
    counts = pl.DataFrame({"user": data.interactions["user"], "topic": topic}).group_by("user", "topic").len()
    favourite = counts.group_by("user").agg(pl.col("len").max() / pl.col("len").sum(), n=pl.col("len").sum())
    busy = favourite.filter(pl.col("n") >= 20)
    assert busy["len"].mean() > 0.4  # 8 topics drawn alike would give about 1/8 and little more


def test_popularity_is_skewed(data):
    counts = np.sort(np.bincount(data.interactions["item"].to_numpy(), minlength=data.n_items))
    assert counts[-50:].sum() > 3 * counts[:250].sum() / 5  # a tenth of the items against a fifth of the lower half
    assert counts[-50:].sum() / counts.sum() > 0.25


def test_texts_are_of_their_topic(data):
    for text, categories in data.items.select("text", "categories").head(50).rows():
        words = text.split()
        assert len(words) == 8
        assert sum(word in TOPICS[categories[0]] for word in words) >= 6


def test_cold_items_come_late_and_cold_users_do_little(data):
    times = data.interactions.with_columns(pl.col("timestamp") / 10**6)
    first = times.group_by("item").agg(pl.col("timestamp").min())["timestamp"]
    assert (first >= START + LATE * YEAR).sum() == 50
    assert times["timestamp"].min() >= START
    assert times["timestamp"].max() <= START + YEAR
    per_user = data.interactions.group_by("user").len()["len"]
    assert (per_user <= 3).sum() >= 100


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"n_topics": 13}, r"data\.n_topics is 13; expected a whole number from 1 to 12"),
        ({"n_interactions": 10}, r"data\.n_interactions=10 is not between 3000 .* and 112500"),
        ({"n_interactions": 10**6}, r"data\.n_interactions=1000000 is not between"),
        ({"cold_user_share": 1.0}, r"data\.cold_user_share is 1\.0; expected a finite number of at least 0 and"),
    ],
)
def test_impossible_sizes_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        SyntheticSource(**keys)
