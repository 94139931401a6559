"""TF-IDF: the words of a text, weighted by their rarity; the baseline for language models."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.schema import ConfigError
from recsys.support.decomposition import first_singular_vectors
from recsys.support.number_checks import check_whole

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

log = logging.getLogger(__name__)


class TfidfEncoder(Encoder):
    """scikit-learn's TF-IDF, reduced by a truncated SVD (latent semantic analysis) unless `n_components` is None.

    The SVD is exact, and the vectors do not depend on the number of threads. A text without a known word has a vector
    of zeros.

    Args:
        n_components: Dimensions kept by the SVD; reduced with a warning if there are not more words and train texts
            than that. None for no SVD.
        ngram_range: Shortest and longest n-grams of words.
        min_df: Words in fewer train texts are omitted: a number of texts, or a share of them if below 1.
        max_features: Only the most frequent words are kept; None for all.
        sublinear_tf: Whether a word's count is 1 + log(count).
        stop_words: "english" leaves out common English words; None leaves out none.

    Raises:
        ConfigError: If a value is impossible, or if fitting leaves no word.
    """

    def __init__(
        self,
        n_components: int | None = 256,
        ngram_range: Sequence[int] = (1, 1),
        min_df: float = 1,
        max_features: int | None = None,
        sublinear_tf: bool = True,
        stop_words: str | None = None,
    ) -> None:
        check_whole("encoder.n_components", n_components, 1, optional=True, reason=" for no SVD")
        if len(ngram_range) != 2 or not 1 <= ngram_range[0] <= ngram_range[1]:
            raise ConfigError(
                f"encoder.ngram_range is {list(ngram_range)}; expected the shortest and longest size, such as [1,2]."
            )
        if not (min_df >= 1 if isinstance(min_df, int) else 0.0 < min_df < 1.0):
            raise ConfigError(f"encoder.min_df is {min_df}; expected a number of texts, or a share between 0 and 1.")
        check_whole("encoder.max_features", max_features, 1, optional=True, reason=" for all words")
        if stop_words not in (None, "english"):
            raise ConfigError(f"encoder.stop_words is {stop_words!r}; expected english or null.")
        self.n_components = n_components
        self.words: dict[str, Any] = {
            "ngram_range": (int(ngram_range[0]), int(ngram_range[1])),
            "min_df": min_df,
            "max_features": max_features,
            "sublinear_tf": sublinear_tf,
            "stop_words": stop_words,
        }

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vectorizer = TfidfVectorizer(**self.words, dtype=np.float32)
        try:
            rows = self.vectorizer.fit_transform(texts)
        except ValueError as error:  # scikit-learn raises it for an empty vocabulary
            n_blank = sum(not text.strip() for text in texts)
            advice = "lower encoder.min_df, omit encoder.stop_words, or use encoder=none"
            if n_blank == len(texts):
                advice = "all of them are empty: check the template of the items' texts, or use encoder=none"
            raise ConfigError(
                f"encoder=tfidf finds no word in the texts of {len(texts)} train items ({error}); {advice}."
            ) from error
        self.components = None
        if self.n_components is not None and rows.shape[1] > 1:  # a single word needs no SVD
            n_components = max(1, min(self.n_components, min(rows.shape) - 1))
            if n_components < self.n_components:
                shape = f"{rows.shape[0]} texts of {rows.shape[1]} words"
                log.warning("encoder.n_components is %d, but %s allow %d.", self.n_components, shape, n_components)
            _, self.components = first_singular_vectors(rows.astype(np.float64), n_components)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = self._rows(texts)
        # In the product of a sparse matrix with the components, a row does not depend on the other rows.
        vectors = rows.toarray() if self.components is None else rows @ self.components.T
        return np.asarray(vectors, dtype=np.float32)

    def identity(self) -> dict[str, Any]:
        words = {key: list(value) if isinstance(value, tuple) else value for key, value in self.words.items()}
        return {"encoder": "tfidf", "n_components": self.n_components, "svd": "exact", **words, "fitted": True}

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        known = np.diff(self._rows(texts).indptr)
        return {"n_without_known_word": int((known == 0).sum()), "n_words": len(self.vectorizer.vocabulary_)}

    def _rows(self, texts: Sequence[str]) -> csr_matrix:
        return self.vectorizer.transform(texts or [""])[: len(texts)]  # scikit-learn raises an error for no rows
