import numpy as np
import pytest

from recsys.serving.code_quality import code_quality


def quality(codes, vectors=None, reconstructed=None, k=1, n_sampled=100):
    codes = np.array(codes)
    vectors = np.arange(len(codes), dtype=float)[:, None] if vectors is None else np.array(vectors, dtype=float)
    reconstructed = vectors if reconstructed is None else np.array(reconstructed, dtype=float)
    return code_quality(codes, vectors, reconstructed, k, n_sampled, seed=0)


def test_collisions_count_items():
    found = quality([[0, 0], [0, 0], [0, 0], [0, 1], [1, 1], [1, 1]])
    assert (found.n_colliding, found.n_items, found.largest_group) == (5, 6, 3)


def test_use_and_entropy_of_each_level():
    found = quality([[0, 5], [0, 5], [1, 5], [2, 5]])
    assert found.used == [3, 1]
    assert found.entropy == pytest.approx([1.5, 0.0])  # 1/2, 1/4, 1/4


def test_neighbours_of_the_vectors_that_are_kept():
    # Nearest by vector: 0→1, 1→0, 2→1, 3→2; by reconstruction: 0→1, 1→0, 2→3, 3→2.
    found = quality([[0]] * 4, [[0], [1], [3], [9]], [[0], [1], [8], [9]])
    assert found.neighbours_kept == 3 / 4


def test_neighbours_of_a_sample_and_in_chunks(monkeypatch):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((40, 3))
    whole = quality(np.zeros((40, 1), dtype=int), vectors, np.round(vectors), k=4)
    monkeypatch.setattr("recsys.serving.code_quality.AT_ONCE", 7)
    assert quality(np.zeros((40, 1), dtype=int), vectors, np.round(vectors), k=4) == whole
    sample = quality(np.zeros((40, 1), dtype=int), vectors, vectors, k=4, n_sampled=5)
    assert sample.neighbours_kept == 1.0


def test_one_item_has_no_neighbours():
    assert quality([[0, 0]]).neighbours_kept is None
