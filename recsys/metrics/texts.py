"""TF-IDF vectors of item texts for the diversity metric; the same for all runs, whatever their encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


def text_rows(texts: Sequence[str], train: NDArray[np.bool_]) -> csr_matrix | None:
    """TF-IDF rows (n_items, n_terms) of length 1, or 0 for an empty text; fitted on the items where `train` is True.

    None if no train item has a word.
    """
    fitted_on = [text for text, chosen in zip(texts, train, strict=True) if chosen]
    if not any(fitted_on):  # scikit-learn is not imported for data without texts
        return None
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    try:
        vectorizer.fit(fitted_on)
    except ValueError:  # scikit-learn raises it for an empty vocabulary
        return None
    return csr_matrix(vectorizer.transform(texts))
