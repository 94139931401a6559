import pytest
import torch

from recsys.layers.chunking import in_parts


@pytest.mark.parametrize("size", [1, 2, 5, 9])
@pytest.mark.parametrize("with_gradient", [False, True])
def test_parts_make_the_whole_each_worked_out_once(size, with_gradient):
    seen, rows = [], torch.arange(10.0).view(5, 2).requires_grad_(with_gradient)

    def function(part):
        seen.append(len(part))
        return part.square().sum(dim=1, keepdim=True) * torch.ones(3)

    with torch.set_grad_enabled(with_gradient):
        found = in_parts(function, rows, size)
    assert torch.equal(found, rows.detach().square().sum(dim=1, keepdim=True).expand(5, 3))
    assert sum(seen) == 5
    assert max(seen) == min(size, 5)
    if with_gradient:
        found.sum().backward()
        assert torch.equal(rows.grad, 6 * rows)


def test_no_rows_have_no_results():
    assert in_parts(lambda part: part @ torch.ones(2, 3), torch.ones(0, 2), 4).shape == (0, 3)
