"""Duplicates: items that are in train and in the test under two ids, found by equal or nearly equal texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys import schema
from recsys.data.dataset import titles
from recsys.data.splits.split import Split, occurs
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_NOT_CHECKED, Finding
from recsys.tracking.origins import LEAKS

CHARACTERS = 2, 4  # lengths of the character n-grams of near-duplicate texts
_ROWS = 256  # cold items that are compared at once
_KEY, _OWN = "key", "own"


def duplicated_items(split: Split) -> list[Finding]:
    """Count test interactions with items whose text, or title, equals that of another item with train interactions.

    Case, punctuation and white space are ignored.
    """
    items = split.dataset.items
    has_titles = items.schema.get(schema.TITLE) == pl.String
    columns = {"items with equal texts": pl.Series(_texts(split)), "items with equal titles": titles(items)}
    if not has_titles:
        columns.popitem()
    return [_duplicated(split, check, normalised(column)) for check, column in columns.items()]


def normalised(texts: pl.Series) -> pl.Series:
    """Texts in lower case with one space between words and no punctuation; None for empty ones.

    Example:
        >>> normalised(pl.Series(["Heat  (1995)", "heat 1995!", " - "])).to_list()
        ['heat 1995', 'heat 1995', None]
    """
    words = texts.fill_null("").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return words.replace("", None)


def _duplicated(split: Split, check: str, keys: pl.Series) -> Finding:
    if keys.null_count() == len(keys):
        return Finding(LEAKS, check, IS_NOT_CHECKED, "the items have no texts")
    keyed = pl.DataFrame({schema.ITEM: np.arange(len(keys), dtype=np.int32), _KEY: keys}).drop_nulls()
    test = split.test.select(schema.USER, pl.col(schema.ITEM).cast(pl.Int32)).join(keyed, on=schema.ITEM)
    train = split.train.select(schema.USER, pl.col(schema.ITEM).cast(pl.Int32)).join(keyed, on=schema.ITEM)
    twins = train.select(pl.col(schema.ITEM).alias(_OWN), _KEY).unique()
    leaked = test.join(twins, on=_KEY).filter(pl.col(schema.ITEM) != pl.col(_OWN))
    n = leaked.select(schema.USER, schema.ITEM).unique().height
    known = train.rename({schema.ITEM: _OWN})
    same = test.join(known, on=[schema.USER, _KEY]).filter(pl.col(schema.ITEM) != pl.col(_OWN))
    n_same, n_items = same.select(schema.USER, schema.ITEM).unique().height, leaked[schema.ITEM].n_unique()
    text = (
        f"{n:,} of {split.test.height:,} test interactions, of {n_items:,} items, have such an item in train; for "
        f"{n_same:,} of them it is in the user's own train interactions"
    )
    numbers: dict[str, float] = {"n": n, "of": split.test.height, "n_items": n_items, "n_of_the_same_user": n_same}
    return Finding(LEAKS, check, IS_FOUND if n else IS_CLEAN, text, numbers)


def near_duplicates(split: Split, threshold: float, n_sampled: int, seed: int) -> Finding:
    """Count cold test items whose text is nearly that of a train item.

    Nearly means a cosine of at least `threshold` between TF-IDF vectors of character n-grams. Equal texts are not
    counted here; see `duplicated_items`.

    Args:
        split: The split of the tested model.
        threshold: Cosine between 0 and 1.
        n_sampled: Largest number of cold items; a random sample if there are more.
        seed: Seed of the sample.
    """
    check, texts = "cold test items with near-duplicate texts", normalised(pl.Series(_texts(split)))
    has_text, tested = texts.is_not_null().to_numpy(), occurs(split.test[schema.ITEM], split.dataset.n_items)
    cold, warm = (np.flatnonzero(mask & has_text) for mask in (tested & ~split.warm_items, split.warm_items))
    if not has_text.any():
        return Finding(LEAKS, check, IS_NOT_CHECKED, "the items have no texts")
    if len(cold) > n_sampled:
        cold = np.sort(np.random.default_rng(seed).choice(cold, n_sampled, replace=False))
    known = set(texts[warm].to_list())
    cold = cold[~texts[cold].is_in(list(known)).to_numpy().astype(bool)] if len(cold) else cold
    if not len(cold) or not len(warm):
        return Finding(LEAKS, check, IS_CLEAN, "the test has no such items", {"n": 0, "of": 0})
    nearest, cosines = nearest_texts(texts[cold].to_list(), texts[warm].to_list())
    found = cosines >= threshold
    n, best = int(found.sum()), int(cosines.argmax())
    names = split.dataset.titles
    text = (
        f"{n:,} of {len(cold):,} cold test items have a text with a cosine of {threshold:g} or more with a train "
        f"item's; the nearest are {names[cold[best]]!r} and {names[warm[nearest[best]]]!r} ({cosines[best]:.2f})"
    )
    return Finding(LEAKS, check, IS_FOUND if n else IS_CLEAN, text, {"n": n, "of": len(cold)})


def nearest_texts(texts: Sequence[str], others: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The index (n,) in `others` of the text nearest to each of n texts, and their cosines (n,)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, sublinear_tf=True, dtype=np.float32)
    rows = csr_matrix(vectorizer.fit_transform([*texts, *others]))
    own, transposed = rows[: len(texts)], rows[len(texts) :].T.tocsr()
    starts = range(0, len(texts), _ROWS)
    chunks = [csr_matrix(own[start : start + _ROWS] @ transposed) for start in starts]
    nearest = np.concatenate([np.asarray(chunk.argmax(axis=1)).ravel() for chunk in chunks])
    cosines = np.concatenate([chunk.max(axis=1).toarray().ravel() for chunk in chunks])
    return nearest.astype(np.int64), cosines.astype(np.float64)


def _texts(split: Split) -> list[str]:
    """The data's own texts, even if the model reads others."""
    return split.data_texts or split.dataset.texts
