"""Singular vectors equal numpy's on real data, and are the same bits for any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.data.sources.movielens_small import MovieLensSmallSource
from recsys.support import decomposition
from recsys.support.decomposition import first_singular_vectors

ENCODE = """
import hashlib
from pathlib import Path
from recsys.data.sources.movielens_small import MovieLensSmallSource
from recsys.encoders.tfidf import TfidfEncoder
texts = sorted(MovieLensSmallSource().read().texts)[::6]
encoder = TfidfEncoder(n_components=32)
encoder.fit(texts, Path("."))
print(hashlib.sha256(encoder.encode(texts).tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def interactions() -> csr_matrix:
    data = MovieLensSmallSource().read()
    users, items = (data.interactions[side].to_numpy() for side in ("user", "item"))
    whole = csr_matrix((np.ones(len(users)), (users, items)), shape=(data.n_users, data.n_items))
    return whole[:300, :2000]


@pytest.mark.parametrize("dense", [0, 10**9])
def test_real_data_as_by_numpy(interactions, dense, monkeypatch):
    monkeypatch.setattr(decomposition, "DENSE", dense)
    values, vectors = first_singular_vectors(interactions, 30)
    _, expected, right = np.linalg.svd(interactions.toarray(), full_matrices=False)
    np.testing.assert_allclose(values, expected[:30], rtol=1e-10)
    np.testing.assert_allclose(np.abs((vectors * right[:30]).sum(axis=1)), 1, atol=1e-8)
    assert (vectors.max(axis=1) >= -vectors.min(axis=1)).all(), "the largest entry is positive"


@pytest.mark.parametrize("dense", [0, 10**9])
def test_a_matrix_of_low_rank_twice_gives_the_same_bits(dense, monkeypatch):
    monkeypatch.setattr(decomposition, "DENSE", dense)
    rng = np.random.default_rng(0)
    matrix = csr_matrix(rng.random((40, 3)) @ rng.random((3, 60)))
    values, vectors = first_singular_vectors(matrix, 10)
    assert (values[3:] < 1e-6 * values[0]).all()
    again = first_singular_vectors(matrix, 10)
    assert np.array_equal(values, again[0])
    assert np.array_equal(vectors, again[1])


def test_more_vectors_than_there_are():
    values, vectors = first_singular_vectors(csr_matrix(np.eye(3, 5)), 9)
    assert (values.shape, vectors.shape) == ((3,), (3, 5))


@pytest.mark.slow
def test_tfidf_vectors_are_the_same_for_any_number_of_threads():
    hashes = set()
    for n_threads in ("1", "2"):
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), n_threads)
        made = subprocess.run([sys.executable, "-c", ENCODE], env=os.environ | threads, capture_output=True, check=True)
        hashes.add(made.stdout)
    assert len(hashes) == 1
