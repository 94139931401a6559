from __future__ import annotations

import pytest
import torch

from recsys.metrics.counting import true_in_rows


@pytest.mark.parametrize("width", [1, 7, 2040, 2041, 70_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_it_counts_as_a_sum_does_and_no_byte_overflows(width, share):
    mask = torch.rand(3, width, generator=torch.Generator().manual_seed(width)) < share
    counted = true_in_rows(mask)
    assert counted.dtype == torch.int64
    assert counted.tolist() == mask.sum(dim=1).tolist()


def test_rows_may_lie_anywhere_in_memory():
    mask = torch.rand(50, 30, generator=torch.Generator().manual_seed(0)) < 0.5
    assert true_in_rows(mask.T).tolist() == mask.sum(dim=0).tolist()
    assert true_in_rows(mask[:0]).tolist() == []
    whole = torch.rand(2040, 2, generator=torch.Generator().manual_seed(0)) < 0.5  # a width that needs no padding
    assert true_in_rows(whole.T).tolist() == whole.sum(dim=0).tolist()
