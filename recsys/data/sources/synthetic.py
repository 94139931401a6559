"""Generated data with a known structure: topics determine the users' choices and the item texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.sources.base import Source
from recsys.data.sources.indexing import index_numbers
from recsys.data.sources.vocabulary import COMMON_WORDS, TOPICS
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

START, YEAR = 1_577_836_800, 31_536_000  # 2020-01-01, and the time span in seconds
LATE = 0.9  # cold items appear in the last tenth of the time
COLD_USER_LIMIT = 3  # maximum number of interactions of a cold user
_MAX_DENSITY = 0.25
_TOPICAL_ROUNDS = 20
_TOPIC_WORDS, _OTHER_WORDS = 6, 2
_CHUNK = 1 << 20  # draws at once, to limit memory


class SyntheticSource(Source):
    """`n_interactions` distinct (user, item) pairs over one year.

    A user draws a topic by their own preferences (a favourite and a second one), then an item of the topic by
    popularity (Zipf). An item's text has words of its topic and common ones. Cold items appear in the last tenth of
    the time; cold users have one to three interactions.

    Args:
        n_users: Number of users.
        n_items: Number of items.
        n_interactions: Distinct pairs, at least three for each user and at most a quarter of all pairs of warm users
            and items.
        n_topics: Number of topics, at most 12.
        popularity_exponent: The exponent of Zipf's law within a topic; 0 is uniform.
        cold_item_share: Share of the items that appear in the last tenth of the time.
        cold_user_share: Share of the users with one to three interactions.
        seed: The seed of the generated data.

    Raises:
        ConfigError: If a parameter is impossible.
    """

    name = "synthetic"

    def __init__(
        self,
        n_users: int = 1_000,
        n_items: int = 500,
        n_interactions: int = 20_000,
        n_topics: int = 8,
        popularity_exponent: float = 0.8,
        cold_item_share: float = 0.1,
        cold_user_share: float = 0.1,
        seed: int = 0,
    ) -> None:
        for name, number in (("n_users", n_users), ("n_items", n_items), ("n_interactions", n_interactions)):
            check_whole(f"data.{name}", number, 1)
        check_whole("data.seed", seed, 0)
        check_number("data.popularity_exponent", popularity_exponent, at_least=0)
        check_whole("data.n_topics", n_topics, 1, below=len(TOPICS) + 1)
        check_number("data.cold_item_share", cold_item_share, at_least=0, below=1)
        check_number("data.cold_user_share", cold_user_share, at_least=0, below=1)
        n_warm = n_users - int(n_users * cold_user_share)
        least, most = n_users * COLD_USER_LIMIT, int(n_warm * n_items * _MAX_DENSITY)
        if not least <= n_interactions <= most:
            raise ConfigError(
                f"data.n_interactions={n_interactions} is not between {least} ({COLD_USER_LIMIT} for each user) and "
                f"{most} (a quarter of all pairs of warm users and items); change it, data.n_users or data.n_items."
            )
        self.n_users, self.n_items, self.n_interactions = n_users, n_items, n_interactions
        self.n_topics, self.popularity_exponent, self.seed = n_topics, popularity_exponent, seed
        self.cold_item_share, self.cold_user_share = cold_item_share, cold_user_share

    def files(self) -> list[Path]:
        """No files."""
        return []

    def identity(self) -> dict[str, Any]:
        """All parameters."""
        return {"source": "synthetic", **vars(self)}

    def read(self) -> Dataset:
        """The data set."""
        catalogue, choice, time = (np.random.default_rng([self.seed, part]) for part in range(3))
        topics = catalogue.integers(self.n_topics, size=self.n_items)
        is_cold = catalogue.permutation(self.n_items) < int(self.n_items * self.cold_item_share)
        popularity = np.power(1.0 + catalogue.permutation(self.n_items), -self.popularity_exponent)
        preferences = _preferences(choice, self.n_users, self.n_topics)
        counts = self._counts(choice)
        users, items = _pairs(choice, counts, preferences, topics, popularity)
        released = np.where(is_cold, LATE, 0.0)[items]
        seconds = START + (YEAR * (released + (1 - released) * time.random(len(items)))).astype(np.int64)
        interactions = pl.DataFrame(
            {
                schema.USER: pl.Series(users, dtype=pl.Int32),
                schema.ITEM: pl.Series(items, dtype=pl.Int32),
                schema.TIMESTAMP: seconds * schema.MICROSECONDS,
            }
        )
        return index_numbers(self.name, interactions, _items(catalogue, topics), self.n_users)

    def _counts(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """(n_users,) the number of interactions of each user: one to three for cold users, log-normal for others."""
        is_cold = generator.permutation(self.n_users) < int(self.n_users * self.cold_user_share)
        most = self.n_items // 2
        counts = np.where(is_cold, generator.integers(1, COLD_USER_LIMIT + 1, self.n_users), 1)
        activity = np.where(is_cold, 0.0, generator.lognormal(sigma=1.0, size=self.n_users))
        while (missing := self.n_interactions - counts.sum()) > 0:
            open_activity = activity * (counts < most)
            counts = counts + generator.multinomial(missing, open_activity / open_activity.sum())
            counts = np.minimum(counts, most)
        return counts


def _preferences(generator: np.random.Generator, n_users: int, n_topics: int) -> NDArray[np.float64]:
    """(n_users, n_topics) cumulative probabilities: 60 % for the favourite, 20 % for the second, the rest uniform."""
    chances = np.full((n_users, n_topics), 0.2 / n_topics)
    everyone = np.arange(n_users)
    for share in (0.6, 0.2):
        chances[everyone, generator.integers(n_topics, size=n_users)] += share
    return np.cumsum(chances, axis=1)


def _pairs(
    generator: np.random.Generator,
    counts: NDArray[np.int64],
    preferences: NDArray[np.float64],
    topics: NDArray[np.int64],
    popularity: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct (user, item) pairs, `counts` (n_users,) for each user; repeated pairs are drawn again."""
    n_items = len(topics)
    shelf = _Shelf(topics, popularity, preferences.shape[1])
    kept, missing, rounds = np.empty(0, dtype=np.int64), counts, 0
    users = np.repeat(np.arange(len(counts)), missing)
    while len(users):
        # Users who have nearly all items of their topics draw from the whole catalogue, to limit the rounds.
        any_item = rounds >= _TOPICAL_ROUNDS
        chunks = np.array_split(users, -(-len(users) // _CHUNK))
        draws = [
            generator.integers(n_items, size=len(chunk)) if any_item else shelf.draw(generator, preferences[chunk])
            for chunk in chunks
        ]
        pairs = users * n_items + np.concatenate(draws)
        new = np.sort(pairs)
        new = new[np.diff(new, prepend=-1) > 0]
        new = new[~_contains(kept, new)]
        missing = missing - np.bincount(new // n_items, minlength=len(counts))
        kept = np.sort(np.concatenate([kept, new]), kind="stable")  # stable: merges two ordered runs
        users = np.repeat(np.arange(len(counts)), missing)
        rounds += 1
    return kept // n_items, kept % n_items


def _contains(ordered: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each value is in the ordered array."""
    if not len(ordered):
        return np.zeros(len(values), dtype=bool)
    return ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values


class _Shelf:
    """The items by topic, drawn by popularity."""

    def __init__(self, topics: NDArray[np.int64], popularity: NDArray[np.float64], n_topics: int) -> None:
        self.order = np.argsort(topics, kind="stable")
        self.ends = np.cumsum(popularity[self.order])
        last = np.cumsum(np.bincount(topics, minlength=n_topics))
        self.bounds = np.concatenate([[0.0], self.ends])[np.concatenate([[0], last])]

    def draw(self, generator: np.random.Generator, preferences: NDArray[np.float64]) -> NDArray[np.int64]:
        """(n,) one item for each row of cumulative preferences (n, n_topics); for an empty topic, an adjacent item."""
        topic = (generator.random(len(preferences))[:, None] > preferences[:, :-1]).sum(axis=1)
        low, high = self.bounds[topic], self.bounds[topic + 1]
        place = np.searchsorted(self.ends, low + (high - low) * generator.random(len(topic)), side="right")
        return self.order[np.minimum(place, len(self.order) - 1)]


def _items(generator: np.random.Generator, topics: NDArray[np.int64]) -> pl.DataFrame:
    """`item_id`, `text`, `categories` of the catalogue: six words of the topic and two common ones, shuffled."""
    names = list(TOPICS)
    table = np.array([TOPICS[name] for name in names])
    own = table[topics[:, None], generator.integers(table.shape[1], size=(len(topics), _TOPIC_WORDS))]
    common = np.array(COMMON_WORDS)[generator.integers(len(COMMON_WORDS), size=(len(topics), _OTHER_WORDS))]
    words = generator.permuted(np.concatenate([own, common], axis=1), axis=1)
    text = pl.DataFrame(words).select(pl.concat_str(pl.all(), separator=" ").alias(schema.TEXT))
    ids = pl.arange(len(topics), eager=True).cast(pl.String).alias(schema.ITEM_ID)
    category = pl.Series(schema.CATEGORIES, np.array(names)[topics]).reshape((-1, 1)).cast(pl.List(pl.String))
    return pl.DataFrame([ids, text[schema.TEXT], category])
