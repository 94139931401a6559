"""Rankers that are solved equal their papers' formulas, written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.layers.post_processing import PostProcessing
from recsys.rankers import histories, similarity, sparse_rows
from recsys.rankers.base import OwnItems
from recsys.rankers.ease import EASERanker
from recsys.rankers.itemknn import ItemKNNRanker
from recsys.schema import ConfigError
from recsys.testing.ranker_contract import N_ITEMS, N_USERS, RankerContract, catalogue, context, train, user_side


def dense() -> np.ndarray:
    ones = np.zeros((N_USERS, N_ITEMS))
    ones[train().users, train().items] = 1
    return ones


def known() -> np.ndarray:
    """(users, items) ones of the histories that the contract scores, which are not those of the train part."""
    batch, ones = user_side().batch, np.zeros((N_USERS, N_ITEMS))
    for row, (items, mask) in enumerate(zip(batch.history.numpy(), batch.history_mask.numpy(), strict=True)):
        ones[row, items[mask]] = 1
    return ones


def scores(ranker) -> np.ndarray:
    return ranker.score_catalogue(user_side(), catalogue()).numpy()


def cosine(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1)
    lengths = np.where(lengths == 0, 1, lengths)
    return rows @ rows.T / np.outer(lengths, lengths)


def nearest_only(similarities: np.ndarray, k: int) -> np.ndarray:
    kept = np.zeros_like(similarities)
    for row, values in enumerate(similarities):
        others = [column for column in np.argsort(-values, kind="stable") if column != row][:k]
        kept[row, others] = values[others]
    return kept


class ClosedFormContract(RankerContract):
    text_dim = 0

    def new(self):
        raise NotImplementedError

    def make(self):
        ranker = self.new()
        ranker.fit(train(self.text_dim))
        return ranker

    def test_saved_weights_fit_one_that_was_not_solved(self, ranker):
        again = self.new()
        again.load_state_dict(ranker.state_dict())
        assert np.array_equal(scores(again), scores(ranker))

    def test_a_history_is_a_set(self, ranker):
        once, twice = user_side(), user_side()
        twice.batch.history = torch.cat([once.batch.history, once.batch.history], dim=1).flip(1)
        twice.batch.history_mask = torch.cat([once.batch.history_mask] * 2, dim=1).flip(1)
        assert torch.allclose(ranker.score_catalogue(twice, catalogue()), ranker.score_catalogue(once, catalogue()))

    def test_a_user_without_history_tells_no_items_apart(self, ranker):
        assert len(np.unique(scores(ranker)[3])) == 1

    def test_bounded_memory_changes_nothing(self, ranker, monkeypatch):
        rows = torch.tensor([[3, 29, 0], [5, 5, 7], [1, 2, 3], [9, 8, 7]])
        items = OwnItems(rows, torch.zeros(N_ITEMS, 0), rows)
        expected = ranker.score(user_side(), items)
        for module, name in [
            (histories, "SCORES_AT_ONCE"),
            (sparse_rows, "ENTRIES_AT_ONCE"),
            (similarity, "ENTRIES_AT_ONCE"),
        ]:
            monkeypatch.setattr(module, name, 1)
        assert torch.allclose(self.make().score(user_side(), items), expected, atol=1e-6)


class TestItemKNNRanker(ClosedFormContract):
    def new(self):
        return ItemKNNRanker(context(), n_neighbors=N_ITEMS)

    def test_it_equals_the_formula(self, ranker):
        similarities = cosine(dense().T)
        np.fill_diagonal(similarities, 0)
        assert np.allclose(scores(ranker), known() @ similarities, atol=1e-6)


class TestItemKNNRankerOfText(ClosedFormContract):
    text_dim = 5

    def new(self):
        return ItemKNNRanker(context(), n_neighbors=3)

    def test_it_is_the_cosine_of_the_texts_of_the_nearest(self, ranker):
        text = train(5).text_vectors.astype(float)
        assert np.allclose(scores(ranker), known() @ nearest_only(cosine(text), 3), atol=1e-6)


def test_text_scores_an_item_that_nobody_knows():
    ranker = ItemKNNRanker(context(), n_neighbors=N_ITEMS)
    ranker.fit(train(5))
    text = train(5).text_vectors.astype(float)
    expected = cosine(text)[[0, 2], N_ITEMS - 1].sum()  # the second user's history is items 0 and 2
    assert scores(ranker)[1, N_ITEMS - 1] == pytest.approx(expected, abs=1e-6)


class TestEASERanker(ClosedFormContract):
    def new(self):
        return EASERanker(context(), regularization=2.0)

    def test_it_equals_the_formula(self, ranker):
        inverse = np.linalg.inv(dense().T @ dense() + 2.0 * np.eye(N_ITEMS))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        assert np.allclose(scores(ranker), known() @ weights, atol=1e-6)


def processed(whitening: float) -> np.ndarray:
    """The train's text vectors, centred and whitened by the items with train interactions, in float64."""
    vectors, warm = train(5).text_vectors.astype(float), dense().sum(axis=0) > 0
    vectors = vectors - vectors[warm].mean(axis=0)
    variances, directions = np.linalg.eigh(vectors[warm].T @ vectors[warm] / warm.sum())
    vectors = vectors @ directions / variances ** (whitening / 2)
    return vectors / np.sqrt((vectors[warm] ** 2).sum(axis=1).mean())


class TestEASERankerWithText(ClosedFormContract):
    text_dim = 5

    def new(self):
        return EASERanker(context(), regularization=2.0, text_weight=3.0, vectors=PostProcessing(whitening=0.5))

    def test_it_equals_collective_ease(self, ranker):
        text = processed(0.5)
        inverse = np.linalg.inv(dense().T @ dense() + 3.0 * text @ text.T + 2.0 * np.eye(N_ITEMS))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        assert np.allclose(scores(ranker), known() @ weights, atol=1e-5)

    def test_it_scores_an_item_that_nobody_knows(self, ranker):
        assert scores(ranker)[1, N_ITEMS - 1] != 0

    def test_a_text_weight_of_zero_is_ease(self):
        plain, without = EASERanker(context()), EASERanker(context(), text_weight=0.0)
        plain.fit(train())
        without.fit(train(5))
        assert torch.equal(plain.weights, without.weights)

    def test_an_item_without_text_is_that_of_the_interactions_alone(self):
        interactions = train(5)
        interactions.text_vectors[N_ITEMS - 1] = 0
        ranker = self.new()
        ranker.fit(interactions)
        assert not ranker.weights[:, N_ITEMS - 1].any()


@pytest.mark.parametrize("weighting", ["cosine", "bm25"])
@pytest.mark.parametrize("shrinkage", [0.0, 2.0])
def test_itemknn_blends_the_similarities_of_texts_and_of_users(weighting, shrinkage):
    settings = {"weighting": weighting, "shrinkage": shrinkage}
    blended = ItemKNNRanker(context(), n_neighbors=N_ITEMS, text_weight=0.25, **settings)
    blended.fit(train(5))
    by_text = ItemKNNRanker(context(), n_neighbors=N_ITEMS)
    by_text.fit(train(5))
    by_users = ItemKNNRanker(context(), n_neighbors=N_ITEMS, **settings)
    by_users.fit(train())
    assert np.allclose(scores(blended), 0.25 * scores(by_text) + 0.75 * scores(by_users), atol=1e-5)


def test_itemknn_reads_post_processed_texts():
    ranker = ItemKNNRanker(context(), n_neighbors=N_ITEMS, vectors=PostProcessing(whitening=1.0))
    ranker.fit(train(5))
    similarities = cosine(processed(1.0))
    np.fill_diagonal(similarities, 0)
    assert np.allclose(scores(ranker), known() @ similarities, atol=1e-5)


def solved(**settings) -> ItemKNNRanker:
    ranker = ItemKNNRanker(context(), n_neighbors=N_ITEMS, **settings)
    ranker.fit(train())
    return ranker


def expected(similarities: np.ndarray, h: float) -> np.ndarray:
    shared = dense().T @ dense()
    similarities = similarities * np.divide(shared, shared + h, out=np.ones_like(shared), where=shared + h > 0)
    np.fill_diagonal(similarities, 0)
    return known() @ similarities


def test_tfidf_weighs_users_by_how_few_items_they_have():
    idf = np.log((1 + N_ITEMS) / (1 + dense().sum(axis=1))) + 1
    assert np.allclose(scores(solved(weighting="tfidf")), expected(cosine(dense().T * idf), 0), atol=1e-6)


def test_bm25_is_a_product_that_lengths_and_shrinkage_lessen():
    rows, n_items_of = dense().T, dense().sum(axis=1)
    idf = np.log(1 + (N_ITEMS - n_items_of + 0.5) / (n_items_of + 0.5))
    lengths = rows.sum(axis=1, keepdims=True)
    weights = rows * idf * 3.0 / (1 + 2.0 * (1 - 0.5 + 0.5 * lengths / lengths.mean()))
    made = solved(weighting="bm25", bm25_k1=2.0, bm25_b=0.5, shrinkage=1.5)
    assert np.allclose(scores(made), expected(weights @ weights.T, 1.5), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: ItemKNNRanker(context(), n_neighbors=0), "ranker.n_neighbors"),
        (lambda: ItemKNNRanker(context(), weighting="jaccard"), "ranker.weighting"),
        (lambda: ItemKNNRanker(context(), shrinkage=-1.0), "ranker.shrinkage"),
        (lambda: ItemKNNRanker(context(), bm25_b=2.0), "ranker.bm25_b"),
        (lambda: ItemKNNRanker(context(), text_weight=2.0), "ranker.text_weight"),
        (lambda: EASERanker(context(), regularization=0.0), "ranker.regularization"),
        (lambda: EASERanker(context(), text_weight=-1.0), "ranker.text_weight"),
    ],
)
def test_impossible_values_are_refused_by_their_key(make, key):
    with pytest.raises(ConfigError, match=key):
        make()


@pytest.mark.parametrize("entries_at_once", [1, 60, 10**6])
def test_halves_of_a_symmetric_matrix_give_each_rows_most_similar_others(entries_at_once, monkeypatch):
    monkeypatch.setattr(similarity, "ENTRIES_AT_ONCE", entries_at_once)
    rows = csr_matrix((np.random.default_rng(6).random((30, 8)) < 0.4).astype(float))
    columns, values = similarity.Similarity().most_similar(rows, 5)
    whole = cosine(rows.toarray())
    np.fill_diagonal(whole, -1)
    best = np.lexsort((np.broadcast_to(np.arange(30), whole.shape), -whole.round(12)), axis=1)[:, :5]
    assert np.allclose(values, np.take_along_axis(whole, best, axis=1))
    assert np.allclose(values, np.take_along_axis(whole, columns, axis=1))


def test_equally_similar_items_stand_in_their_order():
    columns, _ = similarity.Similarity().most_similar(csr_matrix(np.ones((9, 2))), 3)
    assert columns.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], *[[0, 1, 2]] * 6]


def test_of_equal_similarities_the_first_columns_are_kept():
    block = np.full((40, 40), 0.5, dtype=np.float32)
    block[1] = -0.5
    columns, values = similarity.most_similar(iter([block]), 3)
    assert columns[0].tolist() == [1, 2, 3]
    assert columns[1].tolist() == [0, 2, 3]
    assert columns[39].tolist() == [0, 1, 2]
    assert values[0] == pytest.approx([0.5] * 3)
