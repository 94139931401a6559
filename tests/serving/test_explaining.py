"""Reasons are what the score is made of: exact parts add up to it, and without the named items it falls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from full import only_full

from recsys.layers.lookup import take_rows
from recsys.rankers.base import OwnItems, UserSide
from recsys.schema import ConfigError, UserBatch
from recsys.serving.explaining import (
    AUTOMATIC,
    EXACT,
    GRADIENTS,
    LEAVE_ONE_OUT,
    check_explains,
    contributions,
    explain,
    method_of,
)
from recsys.serving.output import recommendations
from recsys.serving.ranking import rank
from recsys.serving.users import known_users, new_user

pytestmark = pytest.mark.slow  # each kind of model is trained

LINEAR = [
    ["encoder=tfidf", "ranker=dot"],
    ["encoder=tfidf", "ranker=cf", "profile=mean", "ranker.user_bias=true"],
    ["ranker=itemknn"],
    ["ranker=ease", "ranker.regularization=20"],
]
OTHERS = [
    ["encoder=tfidf", "ranker=dot", "ranker.cosine=true"],
    ["encoder=tfidf", "ranker=mlp", "profile=attention"],
    ["encoder=tfidf", "ranker=dot", "profile=recurrent"],
    ["ranker=als"],
]


def scores_of(served, history: list[int], items: torch.Tensor, user: int = -1) -> torch.Tensor:
    """Scores of items (N,) for a history, by the model's own scoring of pairs."""
    row = torch.tensor([history], dtype=torch.long)
    batch = UserBatch(torch.tensor([user]), row, torch.ones_like(row, dtype=torch.bool))
    with torch.no_grad():
        return served.model.score(batch, items.unsqueeze(0))[0][0]


@pytest.fixture(params=[*LINEAR, *OTHERS], ids=lambda overrides: "-".join(part.split("=")[1] for part in overrides))
def explained(request, served_of):
    served = served_of(*request.param)
    users = known_users(served, list(known_users(served).ids[::4]))
    return served, users, rank(served, users, 5), request.param in LINEAR


def test_exact_parts_and_the_base_are_the_score_and_the_others_are_what_is_lost_without(explained):
    served, users, ranking, is_linear = explained
    rows = np.array([0, 7, 11])
    batch = users.batch(rows, served.max_history)
    with torch.no_grad():
        parts, base = contributions(served, batch, ranking.items[rows], method_of(served))
    if is_linear:
        torch.testing.assert_close(parts.sum(dim=1) + base, ranking.scores[rows], rtol=1e-4, atol=1e-5)
        return
    for row, user in enumerate(rows):
        history = batch.history[row][batch.history_mask[row]].tolist()
        for place, item in enumerate(history[:4]):
            without = scores_of(
                served, [other for other in history if other != item], ranking.items[user], int(users.idx[user])
            )
            expected = ranking.scores[user] - without
            torch.testing.assert_close(parts[row, place], expected, rtol=1e-3, atol=1e-4)


def test_a_score_falls_more_without_the_named_items_than_without_others(explained):
    served, users, ranking, is_linear = explained
    reasons = explain(served, users, ranking, 2)
    assert reasons.method == (EXACT if is_linear else LEAVE_ONE_OUT)
    assert (reasons.base is not None) == is_linear
    check_by_deletion(served, users, ranking, reasons)


def check_by_deletion(served, users, ranking, reasons, least: float = 0.8) -> None:
    """Without named items a score falls by more than without others: on average, and for a share of `least` users."""
    draw, falls = np.random.default_rng(0), []
    for user in range(len(users)):
        item = ranking.items[user, :1]
        named = reasons.items[user, 0][reasons.items[user, 0] >= 0].tolist()
        history = users.history[user][-min(served.max_history, 1000) :].tolist()
        others = draw.permutation([one for one in history if one not in named])[: len(named)].tolist()
        if len(history) <= 4 or len(others) < len(named):
            continue
        left = [[one for one in history if one not in gone] for gone in (named, others)]
        without_named, without_others = (scores_of(served, each, item, user).item() for each in left)
        falls.append(without_others - without_named)
    assert len(falls) > 10
    assert np.mean(falls) > 0
    assert np.mean(np.array(falls) >= -1e-6) >= least


PROFILES = ["attention", "self_attention", "recurrent", "transformer", "bidirectional"]
CURVED = [["encoder=tfidf", "ranker=dot", f"profile={profile}"] for profile in PROFILES]
SAME_WAY = [f"profile={name}" for name in ("self_attention", "bidirectional", "recurrent")]  # as profile=transformer
CURVED += [["encoder=tfidf", "ranker=mlp", "profile=attention"], ["encoder=tfidf", "ranker=two_tower", "profile=mean"]]
CURVED += [["encoder=tfidf", "ranker=dot", "ranker.cosine=true"]]


@pytest.mark.parametrize(
    "overrides",
    [pytest.param(own, marks=only_full) if own[-1] in SAME_WAY else own for own in CURVED],
    ids=lambda overrides: "-".join(part.split("=")[1] for part in overrides),
)
def test_integrated_gradients_and_the_score_of_average_items_are_the_score(served_of, overrides):
    served = served_of(*overrides)
    users = known_users(served, list(known_users(served).ids[::4]))
    ranking = rank(served, users, 2)
    batch = users.batch(np.arange(len(users)), served.max_history)
    parts, base = contributions(served, batch, ranking.items, GRADIENTS)
    average = served.item_vectors.mean(dim=0).expand_as(served.item_vectors)
    blank = served.model.profile(batch, average, batch.history)
    side = OwnItems(ranking.items, served.item_vectors, ranking.items)
    torch.testing.assert_close(base, served.model.ranker.score(UserSide(batch, blank), side))
    allowed = 0.011 * (ranking.scores - base).abs().clamp(min=0.1 * ranking.scores.abs().max())
    assert ((parts.sum(dim=1) + base - ranking.scores).abs() <= allowed).all()
    reasons = explain(served, users, ranking, 2, "integrated_gradients")
    assert reasons.method == GRADIENTS
    check_by_deletion(served, users, ranking, reasons, 0.5 if "profile=transformer" in overrides else 0.8)


@pytest.mark.parametrize("overrides", LINEAR[:2])
def test_integrated_gradients_of_a_sum_are_its_parts_less_those_of_an_average_item(served_of, overrides):
    served = served_of(*overrides)
    users = new_user(np.array([3, 8, 3, 11]))  # an item twice
    batch, items = users.batch(np.array([0]), served.max_history), rank(served, users, 4).items
    found, exact = (contributions(served, batch, items, how) for how in (GRADIENTS, EXACT))
    average = served.item_vectors[items[0]] @ served.item_vectors.mean(dim=0)  # (4,) products with the average item
    shares = torch.tensor([2 / 4, 1 / 4, 0, 1 / 4]).unsqueeze(1)
    torch.testing.assert_close(found[0][0], exact[0][0] - shares * average, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1][0], exact[1][0] + average, rtol=1e-4, atol=1e-5)


def test_integrated_gradients_are_those_of_captum(served_of):
    served = served_of("encoder=tfidf", "ranker=dot", "profile=attention")
    users = known_users(served, ["42"])
    items = rank(served, users, 1).items
    batch = users.batch(np.array([0]), served.max_history)
    vectors = take_rows(served.item_vectors, batch.history)
    blank = served.item_vectors.mean(dim=0).expand_as(vectors)

    def score(histories: torch.Tensor) -> torch.Tensor:
        n = len(histories)
        idx, history, mask = (each.repeat_interleave(n, 0) for each in (batch.idx, batch.history, batch.history_mask))
        many, chosen = UserBatch(idx, history, mask), items.expand(n, 1)
        side = served.model.user_side(many, histories.flatten(0, 1), torch.arange(history.numel()).view(history.shape))
        return served.model.ranker.score(side, OwnItems(chosen, served.item_vectors, chosen))

    theirs = IntegratedGradients(score).attribute(vectors, blank, target=0, n_steps=128).sum(dim=2)
    ours, _ = contributions(served, batch, items, GRADIENTS)
    torch.testing.assert_close(ours[:, :, 0], theirs.float(), rtol=1e-3, atol=1e-5)


def test_leave_one_out_may_be_asked_for_where_parts_are_exact(served):
    users = known_users(served, ["42"])
    reasons = explain(served, users, rank(served, users, 3), 2, "leave_one_out")
    assert reasons.method == LEAVE_ONE_OUT
    assert reasons.base is None


def test_gradients_that_miss_the_score_are_not_shown(served_of, monkeypatch):
    served = served_of("encoder=tfidf", "ranker=dot", "profile=transformer")
    users = known_users(served, ["42"])
    monkeypatch.setattr("recsys.serving.integrated_gradients.STEPS", (1,))
    with pytest.raises(ConfigError, match="with 1 steps the parts miss a score by"):
        explain(served, users, rank(served, users, 3), 2, "integrated_gradients")


def test_what_has_no_profile_has_no_integrated_gradients(served_of):
    served = served_of("ranker=als")
    check_explains(served, AUTOMATIC)
    with pytest.raises(ConfigError, match="ranker=als has none"):
        check_explains(served, "integrated_gradients")


def test_all_users_at_once_are_explained_as_alone(served):
    users = known_users(served)
    ranking = rank(served, users, 3)
    together = explain(served, users, ranking, 2)
    alone = known_users(served, [users.ids[5]])
    one = explain(served, alone, rank(served, alone, 3), 2)
    assert torch.equal(one.items[0], together.items[5])
    torch.testing.assert_close(one.parts[0], together.parts[5])


@pytest.mark.parametrize("overrides", [["encoder=tfidf", "ranker=dot"], ["ranker=itemknn"], ["ranker=als"]])
def test_an_item_that_was_done_twice_is_named_once(served_of, overrides):
    served = served_of(*overrides)
    users = new_user(np.array([3, 8, 3, 11]))
    ranking = rank(served, users, 4)
    reasons = explain(served, users, ranking, 4)
    for row in reasons.items[0].tolist():
        named = [item for item in row if item >= 0]
        assert len(named) == len(set(named))
    if reasons.base is not None:
        parts, base = contributions(
            served, users.batch(np.array([0]), served.max_history), ranking.items, method_of(served)
        )
        torch.testing.assert_close(parts.sum(dim=1) + base, ranking.scores, rtol=1e-4, atol=1e-5)


def test_reasons_stand_beside_recommendations(served):
    users = known_users(served, ["42", "7"])
    ranking = rank(served, users, 3)
    reasons = explain(served, users, ranking, 2)
    frame = recommendations(served, users, ranking, reasons)
    assert frame["why_method"].to_list() == ["exact sum"] * 6
    why = frame["why"].to_list()[4]
    expected = [int(item) for item in reasons.items[1, 1] if item >= 0]
    assert [part["item_id"] for part in why] == served.items["item_id"].gather(expected).to_list()
    assert [part["part"] for part in why] == pytest.approx(reasons.parts[1, 1][: len(expected)].tolist())


def test_a_user_without_a_history_has_no_reasons(served):
    users = new_user(np.array([], dtype=np.int64))
    frame = recommendations(served, users, (ranking := rank(served, users, 3)), explain(served, users, ranking, 2))
    assert frame["why"].list.len().to_list() == [0, 0, 0]


@pytest.mark.parametrize("overrides", [["encoder=none", "ranker=cf"], ["ranker=popularity"]])
def test_models_that_read_no_history_say_so(served_of, overrides):
    with pytest.raises(ConfigError, match="which reads no history"):
        check_explains(served_of(*overrides))
