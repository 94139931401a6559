"""PureSVD and NMF equal the libraries that solve them, also for histories that are not those of the train part."""

from __future__ import annotations

import numpy as np
import pytest
from rankers.test_closed_form import ClosedFormContract, dense, known, scores
from sklearn.decomposition import NMF

from recsys.rankers.nmf import NMFRanker
from recsys.rankers.svd import SVDRanker
from recsys.schema import ConfigError
from recsys.testing.ranker_contract import N_ITEMS, context, train


class TestSVDRanker(ClosedFormContract):
    def new(self):
        return SVDRanker(context(), n_factors=2)

    def test_it_projects_on_the_first_singular_vectors(self, ranker):
        _, _, vectors = np.linalg.svd(dense())
        first = vectors[:2].T
        assert np.allclose(scores(ranker), known() @ first @ first.T, atol=1e-5)


class TestSVDRankerOfMoreFactorsThanThereAre(ClosedFormContract):
    def new(self):
        return SVDRanker(context(), n_factors=50)

    def test_it_projects_on_all_that_the_train_part_holds(self, ranker):
        assert np.allclose(scores(ranker), known() @ np.linalg.pinv(dense()) @ dense(), atol=1e-5)


class TestNMFRanker(ClosedFormContract):
    def new(self):
        return NMFRanker(context(), n_factors=3, regularization=0.3, n_iterations=300)

    def test_it_equals_scikit_learn_on_the_same_histories(self, ranker):
        penalties = {"alpha_W": 0.3 / N_ITEMS, "alpha_H": 0.3 / len(dense())}
        oracle = NMF(3, max_iter=300, random_state=train().seed, **penalties).fit(dense())
        assert np.allclose(ranker.item_factors.numpy(), oracle.components_.T, atol=1e-5)
        oracle.set_params(tol=1e-9, max_iter=5000)
        users = oracle.transform(known())
        assert (users.max(axis=1)[:3] > 0).all()
        assert np.allclose(scores(ranker), users @ oracle.components_, atol=1e-4)

    def test_nothing_is_negative(self, ranker):
        assert (scores(ranker) >= 0).all()
        assert ranker.item_factors.any()
        assert not ranker.item_factors[N_ITEMS - 1].any(), "nobody knows it"


class TestNMFRankerOfMoreFactorsThanThereAre(ClosedFormContract):
    def new(self):
        return NMFRanker(context(), n_factors=50)


@pytest.mark.parametrize(
    ("make", "key", "value"),
    [
        (SVDRanker, "n_factors", 0),
        (NMFRanker, "n_factors", 0),
        (NMFRanker, "regularization", -1.0),
        (NMFRanker, "n_iterations", 0),
    ],
)
def test_impossible_values_are_refused_by_their_key(make, key, value):
    with pytest.raises(ConfigError, match=f"ranker.{key}"):
        make(context(), **{key: value})
