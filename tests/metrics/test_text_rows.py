import sys

import numpy as np

from recsys.metrics.texts import text_rows


def test_rows_are_those_of_a_tfidf_fitted_on_train_items():
    rows = text_rows(["red fox", "red red", "blue", ""], np.array([True, True, False, True]))
    assert rows.shape == (4, 2)  # fox and red; nobody has learnt blue
    assert np.allclose(np.asarray(rows.power(2).sum(axis=1)).ravel(), [1, 1, 0, 0])


def test_data_without_texts_has_none_and_loads_no_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)  # importing it fails
    assert text_rows(["", ""], np.array([True, True])) is None
    assert text_rows(["", "words"], np.array([True, False])) is None
