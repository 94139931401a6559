"""Facts about the lists of another program."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import torch

from recsys.data.dataset import Dataset
from recsys.data.splits.split import Split
from recsys.experiment.outside import _of_test

N_USERS, N_ITEMS = 70_000, 50_000  # more pairs than an int32 can number


def test_known_items_are_counted_in_large_data():
    def part(*rows: tuple[int, int]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema={"user": pl.Int32, "item": pl.Int32}, orient="row")

    last, none = N_USERS - 1, part()
    ids = [pl.DataFrame({name: np.arange(n).astype(str)}) for name, n in (("item_id", N_ITEMS), ("user_id", N_USERS))]
    known, tested = part((last, 7), (last, 9)), part((last, 8))
    split = Split(Dataset("toy", pl.concat([known, tested]), *ids), known, none, tested, none, "toy", "ab")
    offsets = torch.zeros(N_USERS + 1, dtype=torch.int64)
    offsets[-1] = 3
    facts = _of_test(SimpleNamespace(offsets=offsets, items=torch.tensor([7, 8, 9])), split, deepest=3)
    assert facts == {
        "tested_users": 1,
        "deepest_cutoff": 3,
        "users_without_list": 0,
        "users_with_short_list": 1,  # one of its three items can be ranked
        "known_items_listed": 2,
    }
