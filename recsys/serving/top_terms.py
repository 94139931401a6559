"""Top terms of users: words of texts, and categories of items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys import schema
from recsys.data.ragged import ItemLists

WORD = r"(?u)\b[^\W\d_]{2,}(?:-[^\W\d_]+)*\b"  # no numbers; "sci-fi" is one word
AT_ONCE = 1024  # rows whose weights of all words are in memory at once


def telling_words(texts: Sequence[str], groups: Sequence[NDArray[np.int64]], n: int) -> list[list[list[str]]]:
    """For each table (R, K) of items, the `n` most characteristic words of each row.

    A word's score is its mean TF-IDF weight in the row's texts minus that in all texts. Words without a positive score,
    numbers and English stop words are omitted.

    Example:
        >>> telling_words(["red moon", "red sea", "blue sea", "blue sky"], [np.array([[0, 1], [2, 3]])], 1)
        [[['red'], ['blue']]]
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=WORD)
    try:
        weights = vectorizer.fit_transform(texts)
    except ValueError:  # scikit-learn's error for an empty vocabulary
        return [[[] for _ in rows] for rows in groups]
    names, mean = vectorizer.get_feature_names_out(), np.asarray(weights.mean(axis=0))
    return [_telling(weights, names, mean, rows, n) for rows in groups]


def _telling(
    weights: csr_matrix, names: NDArray[Any], mean: NDArray[Any], rows: NDArray[np.int64], n: int
) -> list[list[str]]:
    found: list[list[str]] = []
    for part in np.array_split(rows, -(-len(rows) // AT_ONCE)):
        share = np.full(part.size, 1 / part.shape[1])
        chosen = csr_matrix(
            (share, part.ravel(), np.arange(len(part) + 1) * part.shape[1]), (len(part), weights.shape[0])
        )
        above = (chosen @ weights).toarray() - mean
        best = np.argsort(-above, axis=1, kind="stable")[:, :n]
        found += [[str(names[word]) for word in words if above[row, word] > 0] for row, words in enumerate(best)]
    return found


def favourites(items: pl.DataFrame, histories: ItemLists) -> list[str]:
    """Each user's characteristic category: its share in the history is highest above the mean share over users.

    "" for users without a category. So a category that nearly all users prefer is not chosen for all of them.

    Example:
        >>> items = pl.DataFrame({"categories": [["Drama"], ["Drama"], ["War"], None]})
        >>> favourites(items, ItemLists(np.array([0, 2, 5, 5, 6]), np.array([0, 1, 0, 1, 2, 3], dtype=np.int32)))
        ['Drama', 'War', '', '']
    """
    if schema.CATEGORIES not in items.columns:
        return [""] * len(histories)
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    done = pl.DataFrame({"row": owners, "category": items[schema.CATEGORIES].gather(histories.values)})
    done = done.explode("category", empty_as_null=True).drop_nulls()
    kinds = done["category"].unique().sort()
    if not len(kinds):
        return [""] * len(histories)
    codes = done["category"].replace_strict(kinds, np.arange(len(kinds)), return_dtype=pl.Int64).to_numpy()
    counts = np.bincount(done["row"].to_numpy() * len(kinds) + codes, minlength=len(histories) * len(kinds))
    counts = counts.reshape(len(histories), len(kinds))
    total = counts.sum(axis=1, keepdims=True)
    known = total[:, 0] > 0
    shares = counts / np.maximum(total, 1)
    best = (shares - shares[known].mean(axis=0)).argmax(axis=1)
    return [kinds[int(kind)] if there else "" for kind, there in zip(best, known, strict=True)]
