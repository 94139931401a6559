"""Lists of another program: scored by their places, and nothing beyond them is recommended."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
import torch

from recsys.data.outside_lists import OutsideLists
from recsys.rankers.lists import ListsRanker
from recsys.schema import ConfigError, RawIds
from recsys.testing.ranker_contract import N_ITEMS, N_USERS, RankerContract, catalogue, context, train, user_side

PAIRS = [(0, 3, 1), (0, 5, 2), (0, 9, 2), (2, 29, 1)]  # user, item, place


class Given:
    def __init__(self, pairs):
        self.pairs = pl.DataFrame(pairs, schema=["user", "item", "order"], orient="row")

    def read(self, user_ids, item_ids):
        assert (len(user_ids), len(item_ids)) == (N_USERS, N_ITEMS)
        return OutsideLists(self.pairs, {"file": "recs.csv"})


def ids(n: int) -> pl.Series:
    return pl.arange(n, eager=True).cast(pl.String)


def made(pairs=PAIRS) -> ListsRanker:
    known = replace(context(), ids=RawIds(lambda: ids(N_USERS), lambda: ids(N_ITEMS)))
    ranker = ListsRanker(known, Given(pairs), "LightFM")
    ranker.fit(train())
    return ranker


class TestListsRanker(RankerContract):
    def make(self):
        return made()

    def test_gradient_is_finite(self, ranker):
        """Items that are in no list score −∞ by design, so that they are never recommended."""
        assert not list(ranker.parameters())

    def test_a_new_user_is_scored(self, ranker):
        users = user_side()
        users.batch.idx = torch.full((N_USERS,), -1)
        assert torch.isneginf(ranker.score_catalogue(users, catalogue())).all()

    def test_scores_are_places_and_all_else_is_never_recommended(self, ranker):
        scores = ranker.score_catalogue(user_side(), catalogue())
        found = {(u, i): scores[u, i].item() for u, i in (scores > -torch.inf).nonzero().tolist()}
        assert found == {(0, 3): -1, (0, 5): -2, (0, 9): -2, (2, 29): -1}
        assert ranker.longest_list == 3

    def test_saved_lists_fit_a_new_ranker(self, ranker):
        other = ListsRanker(context(), Given(PAIRS), "LightFM")
        other.load_state_dict(ranker.state_dict())
        expected = ranker.score_catalogue(user_side(), catalogue())
        assert torch.equal(other.score_catalogue(user_side(), catalogue()), expected)
        assert other.longest_list == 3


def test_lists_of_all_items_that_a_user_does_not_know_are_whole_rankings():
    known = set(zip(train().users.tolist(), train().items.tolist(), strict=True))
    unknown = [item for item in range(N_ITEMS) if (1, item) not in known]
    whole = [(1, item, place + 1) for place, item in enumerate(unknown)]
    assert made(whole).longest_list is None
    assert made(whole[:-1]).longest_list == len(whole) - 1


def test_a_name_is_needed():
    with pytest.raises(ConfigError, match=r"ranker\.name is ' '; expected a name"):
        ListsRanker(context(), Given(PAIRS), " ")
