"""The best items of many users are those that the model scores highest, whatever the chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recsys import schema
from recsys.schema import ConfigError, UserBatch
from recsys.serving.model import serve
from recsys.serving.ranking import chunks, rank
from recsys.serving.users import known_users


def scores_one_by_one(served, user: int) -> np.ndarray:
    """All scores of one user, by the model's pairwise scoring and a history put together here."""
    known = served.run.split.known(schema.TEST).filter(user=user).sort(schema.TIMESTAMP, maintain_order=True)
    history = torch.from_numpy(known[schema.ITEM].to_numpy().astype(np.int64))
    length = served.max_history
    newest = history[-length:].unsqueeze(0) if length else history[:0].unsqueeze(0)
    batch = UserBatch(torch.tensor([user]), newest, torch.ones_like(newest, dtype=torch.bool))
    with torch.no_grad():
        scores = served.model.score(batch, torch.arange(served.items.height).unsqueeze(0))[0][0].clone()
    scores[history] = -torch.inf
    return scores.numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["encoder=tfidf", "ranker=dot"],
        ["encoder=tfidf", "ranker=mlp", "profile=attention"],
        ["encoder=none", "ranker=cf"],
    ],
)
def test_the_best_are_those_with_the_highest_scores_of_the_model(run_of, overrides):
    served = serve(run_of(*overrides))
    users = known_users(served)
    found = rank(served, users, 10)
    for user in (0, 7, 41):
        expected = scores_one_by_one(served, user)
        best = np.sort(expected)[::-1][:10]
        np.testing.assert_allclose(found.scores[user].numpy(), best, atol=1e-5)
        np.testing.assert_allclose(expected[found.items[user].numpy()], best, atol=1e-5)


def test_chunks_change_nothing_and_bound_the_scores_in_memory(served, monkeypatch):
    users = known_users(served)
    whole = rank(served, users, 5)
    monkeypatch.setitem(served.run.cfg.batches, "max_scores", 7 * served.items.height)
    sizes = [len(rows) for rows in chunks(served, len(users))]
    assert max(sizes) == 7
    assert sum(sizes) == len(users)
    parts = rank(served, users, 5)
    assert torch.equal(whole.items, parts.items)
    torch.testing.assert_close(whole.scores, parts.scores)


def test_all_users_at_once_are_the_users_one_by_one(served):
    together = rank(served, known_users(served), 5)
    ids = served.run.split.dataset.users["user_id"].to_list()
    alone = rank(served, known_users(served, [ids[3], ids[1]]), 5)
    assert torch.equal(alone.items, together.items[[3, 1]])


def test_only_what_is_allowed_is_recommended_and_lists_end_where_it_does(served):
    allowed = np.zeros(served.items.height, dtype=bool)
    allowed[:6] = True
    users = known_users(served)
    found = rank(served, users, 10, allowed)
    for row in range(len(users)):
        items = found.items[row][found.items[row] >= 0].tolist()
        assert sorted(items) == sorted(set(range(6)) - set(users.history[row].tolist()))
    assert torch.isneginf(found.scores[found.items < 0]).all()


def test_an_unknown_user_is_refused(served):
    with pytest.raises(ConfigError, match=r"user 'nobody' is not in table; it has users such as '[0-9]+'"):
        known_users(served, ["2", "nobody"])
