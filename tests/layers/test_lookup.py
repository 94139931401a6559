"""Fused look-ups against the plain formulas, in values and in gradients."""

import pytest
import torch

from recsys.layers.lookup import _grouped, row_products, row_sums, take_rows

B, DIM, N_ROWS = 5, 3, 7


def plain_products(vectors, table, rows):
    return torch.einsum("bd,bnd->bn", vectors, table[rows])


def plain_sums(weights, table, rows):
    return torch.einsum("bn,bnd->bd", weights, table[rows])


# N beyond the table's length takes the path without sparse matrices; rows repeat within a line in any case.
@pytest.fixture(params=[1, 4, 7, 9])
def rows(request):
    rows = torch.randint(N_ROWS - 1, (B, request.param))  # the last row is nobody's
    rows[0] = rows[0, 0]
    return rows


def table():
    return torch.randn(N_ROWS, DIM, dtype=torch.float64, requires_grad=True)


def vectors():
    return torch.randn(B, DIM, dtype=torch.float64, requires_grad=True)


def weights(rows):
    return torch.randn(rows.shape, dtype=torch.float64, requires_grad=True)


def test_products_and_their_gradients_are_those_of_the_formula(rows):
    inputs = vectors(), table()
    assert torch.allclose(row_products(*inputs, rows), plain_products(*inputs, rows))
    assert torch.autograd.gradcheck(lambda *given: row_products(*given, rows), inputs)


def test_sums_and_their_gradients_are_those_of_the_formula(rows):
    inputs = weights(rows), table()
    assert torch.allclose(row_sums(*inputs, rows), plain_sums(*inputs, rows))
    assert torch.autograd.gradcheck(lambda *given: row_sums(*given, rows), inputs)


@pytest.mark.parametrize(("fused", "plain"), [(row_products, plain_products), (row_sums, plain_sums)])
def test_float32_gradients_agree_with_autograd_of_the_formula(fused, plain, rows):
    first = torch.randn(B, DIM) if fused is row_products else torch.randn(rows.shape)
    gradients = []
    for function in (fused, plain):
        leaves = first.clone().requires_grad_(), torch.arange(N_ROWS * DIM).view(N_ROWS, DIM).sin().requires_grad_()
        function(*leaves, rows).square().sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
    for ours, expected in zip(*gradients, strict=True):
        assert torch.allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_no_gradient_is_computed_that_nobody_wants(rows):
    fixed = table().detach()
    given = vectors()
    row_products(given, fixed, rows).sum().backward()
    assert given.grad is not None
    assert fixed.grad is None


@pytest.mark.parametrize("shape", [(0, 3), (5, 0)])
def test_no_users_and_no_rows(shape):
    rows = torch.zeros(shape, dtype=torch.long)
    assert row_products(torch.randn(shape[0], DIM), table().float(), rows).shape == shape
    assert torch.equal(row_sums(torch.randn(shape), table().float(), rows), torch.zeros(shape[0], DIM))


def test_vectors_that_are_views_and_gradients_that_are_expanded():
    given, rows = table(), torch.randint(N_ROWS, (B, 4))
    users = vectors().T.contiguous().T[:, :]
    row_products(users, given, rows).sum().backward()
    expected = torch.autograd.grad(plain_products(users.detach(), given, rows).sum(), given)[0]
    assert torch.allclose(given.grad, expected)


def test_a_gradient_reaches_rows_of_any_shape_and_adds_up():
    given = table()
    take_rows(given, torch.tensor([[0, 0], [2, 0]])).sum().backward()
    assert given.grad.sum(dim=1).tolist() == [9, 0, 3, 0, 0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 70_000, 5_000_000])
def test_grouping_is_a_stable_sort(n):
    values = torch.randint(n, (10_000,)).numpy()
    order, starts = _grouped(values, n)
    assert order.tolist() == values.argsort(kind="stable").tolist()
    assert starts.tolist() == values[order].searchsorted(range(n)).tolist()
