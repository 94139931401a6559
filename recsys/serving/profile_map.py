"""A map of a run's user profiles, with clusters, nearest items and top terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from recsys import schema
from recsys.data.ragged import ItemLists
from recsys.rankers.base import SharedItems
from recsys.schema import ConfigError
from recsys.serving.model import Served
from recsys.serving.ranking import chunks
from recsys.serving.top_terms import favourites, telling_words
from recsys.serving.users import ServedUsers

X, Y, CLUSTER, FAVOURITE, N_KNOWN = "x", "y", "cluster", "favourite", "n_known"
NEWEST, NEAREST, WORDS, N_USERS = "newest", "nearest", "words", "n_users"
FEWEST_USERS = 10  # least number of users of a map


@dataclass(frozen=True)
class PortraitSettings:
    """Settings of the page about profiles.

    Attributes:
        n_clusters: Number of clusters of users.
        n_items: Number of nearest items, and of newest items of a history, that are shown for a user.
        n_words: Number of words that are shown for a user.
        n_read: Number of nearest items from whose texts the words are taken.
        perplexity: Perplexity of t-SNE, about the number of neighbours of a user on the map.
        seed: Seed of clusters and map.
    """

    n_clusters: int
    n_items: int
    n_words: int
    n_read: int
    perplexity: float
    seed: int


@dataclass(frozen=True)
class Portraits:
    """Profiles as tables.

    Attributes:
        users: A row for each user: `user_id`, `x`, `y`, `cluster` (from 1, the largest first), `favourite` category
            ("" if no category is known), `n_known` items, and the lists `newest` (titles), `nearest` (titles) and
            `words`.
        clusters: A row for each cluster: `cluster`, `n_users`, `favourite`, `nearest`, `words`.
    """

    users: pl.DataFrame
    clusters: pl.DataFrame


def check_has_profiles(served: Served) -> None:
    """Raise an error for a run without user vectors.

    Raises:
        ConfigError: If the run has no profile.
    """
    if served.model.profile is None:
        ranker = served.run.cfg.choices.ranker
        raise ConfigError(
            f"ranker={ranker} has no user profile: use a run with profile=mean, attention, recurrent, "
            "transformer, id or text."
        )


def portraits(served: Served, users: ServedUsers, settings: PortraitSettings) -> Portraits:
    """Profiles of users, computed in two passes over the users.

    The items nearest to a profile have the highest scores above their means over these users, so that generally popular
    items are not listed. Its top terms are the words whose mean TF-IDF weight in the texts of its nearest items is
    highest above that of the catalogue. Clusters are found by k-means, the map by t-SNE (van der Maaten and Hinton,
    JMLR 2008), both on user vectors of length 1.

    Raises:
        ConfigError: If the run has no profile, or there are too few users.
    """
    check_has_profiles(served)
    if len(users) < max(FEWEST_USERS, settings.n_clusters):
        needed = max(FEWEST_USERS, settings.n_clusters)
        raise ConfigError(f"{len(users)} users are too few for a map; expected {needed} or more.")
    vectors, mean_scores = _vectors(served, users)
    unit = normalize(vectors, dim=1).double().numpy()
    clusters = _clusters(unit, settings)
    nearest, of_clusters = _nearest(served, users, mean_scores, clusters, settings)
    texts = served.items[schema.TEXT].head(served.n_items).to_list()
    words = telling_words(texts, [nearest, of_clusters], settings.n_words)
    liked = favourites(served.items, users.history)
    place = _map(unit, settings)
    table = pl.DataFrame(
        {
            schema.USER_ID: users.ids,
            X: place[:, 0],
            Y: place[:, 1],
            CLUSTER: clusters + 1,
            FAVOURITE: liked,
            N_KNOWN: users.history.lengths,
            NEWEST: _newest(served, users.history, settings.n_items),
            NEAREST: _titles(served, nearest[:, : settings.n_items]),
            WORDS: words[0],
        }
    )
    return Portraits(table, _cluster_table(served, table, of_clusters[:, : settings.n_items], words[1]))


@torch.no_grad()
def _vectors(served: Served, users: ServedUsers) -> tuple[Tensor, Tensor]:
    """The profiles (U, dim), and each item's mean score (n_items,)."""
    found, total = [], torch.zeros(served.n_items, dtype=torch.float64)
    for rows in chunks(served, len(users)):
        vectors, scores = _scored(served, users, rows)
        found.append(vectors)
        total += scores.double().sum(dim=0)
    return torch.cat(found), (total / len(users)).float()


@torch.no_grad()
def _nearest(
    served: Served, users: ServedUsers, mean_scores: Tensor, clusters: NDArray[np.int64], settings: PortraitSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The nearest items (U, n_read) of each profile, and those (n_clusters, n_read) of each cluster's mean."""
    n = min(settings.n_read, served.n_items)
    found, total = [], torch.zeros(settings.n_clusters, served.n_items)
    for rows in chunks(served, len(users)):
        above = _scored(served, users, rows)[1] - mean_scores
        found.append(above.topk(n, dim=1).indices)
        total.index_add_(0, torch.from_numpy(clusters[rows]), above)
    counts = torch.from_numpy(np.bincount(clusters, minlength=settings.n_clusters)).unsqueeze(1)
    return torch.cat(found).numpy(), (total / counts.clamp(min=1)).topk(n, dim=1).indices.numpy()


def _scored(served: Served, users: ServedUsers, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    batch = users.batch(rows, served.max_history)
    side = served.model.user_side(batch, served.item_vectors, batch.history)
    n = served.n_items
    items = SharedItems(torch.arange(n), served.item_vectors[:n])
    return side.vectors, served.model.ranker.score_catalogue(side, items)


def _clusters(unit: NDArray[np.float64], settings: PortraitSettings) -> NDArray[np.int64]:
    """(U,) cluster of each user, from 0, the largest first."""
    from sklearn.cluster import KMeans

    found = KMeans(settings.n_clusters, n_init=10, random_state=settings.seed).fit_predict(unit)
    order = np.argsort(-np.bincount(found, minlength=settings.n_clusters), kind="stable")
    return np.argsort(order)[found]


def _map(unit: NDArray[np.float64], settings: PortraitSettings) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(settings.perplexity, (len(unit) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=settings.seed).fit_transform(unit)


def _newest(served: Served, history: ItemLists, n: int) -> list[list[str]]:
    return [served.titles.gather(items[::-1][:n]).to_list() for items in map(history.__getitem__, range(len(history)))]


def _titles(served: Served, items: NDArray[np.int64]) -> list[list[str]]:
    flat = served.titles.gather(items.ravel())
    return flat.reshape(items.shape).to_list() if items.size else [[] for _ in items]


def _cluster_table(
    served: Served, users: pl.DataFrame, nearest: NDArray[np.int64], words: list[list[str]]
) -> pl.DataFrame:
    counted = users.group_by(CLUSTER).agg(
        pl.len().alias(N_USERS), pl.col(FAVOURITE).filter(pl.col(FAVOURITE) != "").mode().sort().first()
    )
    told = {CLUSTER: np.arange(len(nearest)) + 1, NEAREST: _titles(served, nearest), WORDS: words}
    clusters = pl.DataFrame(told).join(counted, on=CLUSTER, how="left", maintain_order="left")
    return clusters.with_columns(pl.col(N_USERS).fill_null(0))  # equal profiles can leave clusters empty
