from math import log2

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.metrics import roc_auc_score

from recsys.metrics import functional
from recsys.metrics.diversity import intra_list_distance

# Rank 1 and rank 3 of four are relevant; a third relevant item is not in the list.
HITS = torch.tensor([[True, False, True, False]])
N_POSITIVES = torch.tensor([3])


@pytest.mark.parametrize(
    ("formula", "k", "expected"),
    [
        (functional.ndcg, 4, (1 + 1 / 2) / (1 + 1 / log2(3) + 1 / 2)),
        (functional.ndcg, 2, 1 / (1 + 1 / log2(3))),
        (functional.ndcg, 10, (1 + 1 / 2) / (1 + 1 / log2(3) + 1 / 2)),
        (functional.recall, 4, 2 / 3),
        (functional.recall, 1, 1 / 3),
        (functional.hit_rate, 1, 1.0),
        (functional.precision, 4, 2 / 4),
        (functional.precision, 10, 2 / 10),  # the list is shorter than k
        (functional.average_precision, 4, (1 / 1 + 2 / 3) / 3),
        (functional.average_precision, 1, (1 / 1) / 3),  # over all relevant items, not over min(3, k)
        (functional.reciprocal_rank, 4, 1.0),
        (functional.mean_reciprocal_rank, 4, (1 / 1 + 1 / 3) / 3),
    ],
)
def test_hand_fractions(formula, k, expected):
    assert formula(HITS, N_POSITIVES, k).item() == pytest.approx(expected, abs=1e-7)


def test_reciprocal_rank_takes_the_first_hit_within_k():
    hits = torch.tensor([[False, False, True, True], [False, False, False, False]])
    assert functional.reciprocal_rank(hits, torch.tensor([2, 1]), 4).tolist() == pytest.approx([1 / 3, 0])
    assert functional.reciprocal_rank(hits, torch.tensor([2, 1]), 2).tolist() == [0, 0]


def test_no_hit_is_zero_in_every_metric():
    hits, n_positives = torch.zeros(1, 3, dtype=torch.bool), torch.tensor([2])
    formulas = [functional.ndcg, functional.recall, functional.hit_rate, functional.precision]
    formulas += [functional.average_precision, functional.reciprocal_rank, functional.mean_reciprocal_rank]
    assert [formula(hits, n_positives, 5).item() for formula in formulas] == [0.0] * 7


@pytest.mark.parametrize("most_positives", [1, functional.FEW - 1, functional.FEW, 20])
@pytest.mark.parametrize("n_levels", [3, 1000])
def test_auc_is_sklearns_with_and_without_ties(n_levels, most_positives):
    generator = torch.Generator().manual_seed(n_levels)
    scores = torch.randint(n_levels, (40, 60), generator=generator).float()
    order = torch.rand(40, 60, generator=generator).argsort(dim=1)
    positives = order < torch.randint(1, most_positives + 1, (40, 1), generator=generator)
    assert positives.sum(dim=1).max() == most_positives
    expected = [roc_auc_score(positives[row].numpy(), scores[row].numpy()) for row in range(40)]
    assert functional.auc(scores, positives).numpy() == pytest.approx(np.array(expected), abs=1e-6)


def test_auc_leaves_out_excluded_negatives_and_loses_excluded_positives():
    scores = torch.tensor([[0.5, -torch.inf, 0.1, -torch.inf]])
    assert functional.auc(scores, torch.tensor([[True, False, False, False]])).item() == 1.0
    assert functional.auc(scores, torch.tensor([[True, True, False, False]])).item() == 1 / 2
    assert functional.auc(scores, torch.tensor([[True, False, True, False]])).isnan().all()  # nothing to compare with


def test_auc_of_infinite_scores():
    scores = torch.tensor([[torch.inf, torch.inf, 0.0]])
    assert functional.auc(scores, torch.tensor([[True, False, False]])).item() == (1 / 2 + 1) / 2


def test_gini_by_all_pairs():
    counts = torch.randint(0, 50, (30,), generator=torch.Generator().manual_seed(0))
    c = counts.double().numpy()
    by_pairs = np.abs(c[:, None] - c[None, :]).sum() / (2 * len(c) * c.sum())
    assert functional.gini(counts).item() == pytest.approx(by_pairs, abs=1e-12)
    assert functional.gini(torch.full((7,), 3)).item() == pytest.approx(0, abs=1e-12)
    assert functional.gini(torch.tensor([0, 4, 0, 0])).item() == pytest.approx(1 - 1 / 4)


def test_coverage_is_a_share_of_the_catalogue():
    assert functional.coverage(torch.tensor([0, 3, 1, 0, 0])).item() == 2 / 5


def test_self_information_in_bits_and_of_an_unknown_item():
    counts = torch.tensor([8, 4, 1, 0])
    assert functional.self_information(counts, 8).tolist() == [0.0, 1.0, 3.0, 3.0]


def test_mean_of_listed_ignores_missing_items():
    values, listed = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([[2, 0, -1], [-1, -1, -1]])
    mean = functional.mean_of_listed(values, listed)
    assert mean[0].item() == (6 + 1) / 2
    assert mean[1].isnan()


def test_intra_list_distance_by_all_pairs():
    rng = np.random.default_rng(0)
    dense = rng.random((12, 6)) * (rng.random((12, 6)) < 0.5)
    dense[3] = 0  # an item without text
    norms = np.linalg.norm(dense, axis=1, keepdims=True)
    dense = np.divide(dense, norms, where=norms > 0, out=np.zeros_like(dense))
    listed = np.array([rng.permutation(12)[:4] for _ in range(5)])
    listed[0] = [3, 1, 2, -1]
    listed[1] = [5, -1, -1, -1]
    expected = [_mean_distance(dense[row[row >= 0]]) for row in listed]
    assert intra_list_distance(csr_matrix(dense), listed) == pytest.approx(np.array(expected), abs=1e-12, nan_ok=True)
    assert np.isnan(expected[1])


def _mean_distance(vectors):
    i, j = np.triu_indices(len(vectors), 1)
    return (1 - (vectors[i] * vectors[j]).sum(axis=1)).mean() if len(i) else np.nan
