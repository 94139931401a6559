"""TF-IDF: which words a text has, weighted by how rare they are. The baseline of every language model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.schema import ConfigError


class TfidfEncoder(Encoder):
    """scikit-learn's TF-IDF, reduced by a truncated SVD (latent semantic analysis) unless `n_components` is None.

    A text without a known word has a vector of zeros.

    Args:
        n_components: Dimensions kept by the SVD, at most one fewer than there are words or train texts; None for none.
        ngram_range: Shortest and longest n-grams of words.
        min_df: Words in fewer train texts are left out.
        max_features: Only the most frequent words are kept; None for all.
        sublinear_tf: Whether a word's count is 1 + log(count).
        stop_words: "english" leaves out common English words; None leaves out none.
        seed: Of the SVD.

    Raises:
        ConfigError: If a value is impossible.
    """

    def __init__(
        self,
        n_components: int | None = 256,
        ngram_range: Sequence[int] = (1, 1),
        min_df: int = 1,
        max_features: int | None = None,
        sublinear_tf: bool = True,
        stop_words: str | None = None,
        seed: int = 0,
    ) -> None:
        if n_components is not None and n_components < 1:
            raise ConfigError(f"encoder.n_components is {n_components}; expected 1 or more, or null for no SVD.")
        if len(ngram_range) != 2 or not 1 <= ngram_range[0] <= ngram_range[1]:
            raise ConfigError(f"encoder.ngram_range is {list(ngram_range)}; expected two growing sizes such as [1,2].")
        self.n_components = n_components
        self.seed = seed
        self.words: dict[str, Any] = {
            "ngram_range": (int(ngram_range[0]), int(ngram_range[1])),
            "min_df": min_df,
            "max_features": max_features,
            "sublinear_tf": sublinear_tf,
            "stop_words": stop_words,
        }

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vectorizer = TfidfVectorizer(**self.words, dtype=np.float32)
        counts = self.vectorizer.fit_transform(texts)
        self.svd = None
        if self.n_components is not None:
            n_components = max(1, min(self.n_components, min(counts.shape) - 1))
            self.svd = TruncatedSVD(n_components, random_state=self.seed).fit(counts)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = self.vectorizer.transform(texts)
        # The product with the components, row by row of a sparse matrix, does not depend on the other rows.
        vectors = rows.toarray() if self.svd is None else rows @ self.svd.components_.T
        return np.asarray(vectors, dtype=np.float32)

    def identity(self) -> dict[str, Any]:
        words = {key: list(value) if isinstance(value, tuple) else value for key, value in self.words.items()}
        return {"encoder": "tfidf", "n_components": self.n_components, "seed": self.seed, **words, "fitted": True}

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        known = np.diff(self.vectorizer.transform(texts).indptr)
        return {"n_without_known_word": int((known == 0).sum()), "n_words": len(self.vectorizer.vocabulary_)}
