import numpy as np
import pytest
import torch

import recsys
from recsys.data.queries import Examples
from recsys.data.ragged import ItemLists
from recsys.experiment.rehearsal import rehearse
from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import TextVectors
from recsys.profiles.bidirectional import BidirectionalProfile
from recsys.profiles.bsarec import BSARecProfile
from recsys.profiles.hstu import HSTUProfile
from recsys.profiles.ligr import LiGRProfile
from recsys.profiles.recurrent import RecurrentProfile
from recsys.profiles.transformer import TransformerProfile
from recsys.rankers.dot import DotRanker
from recsys.schema import ConfigError, ModelContext, UserBatch
from recsys.training.batches import TrainBatches
from recsys.training.losses import sampled_softmax
from recsys.training.recommender import Recommender
from recsys.training.sequences import LAST_ALONE, SequenceBatches

# User 0 did five items, user 1 none, user 2 one, user 3 three.
LISTS = ItemLists(np.array([0, 5, 5, 6, 9]), np.array([5, 6, 7, 8, 9, 3, 1, 0, 2], dtype=np.int32))
N_ITEMS = 10


def sequences(max_history, mask_share=None, epoch=0, batch_size=100, rank=0, world_size=1, lists=LISTS):
    return SequenceBatches(lists, batch_size, max_history, mask_share, 0, lambda: epoch, rank, world_size)


def told(batches):
    """(user, positive, items before it in the sequence) of each example."""
    found = []
    for batch in (batch for block in batches for batch in block):
        at = batch.users.positions
        for user, positive, row, place in zip(batch.users.idx, batch.positives, at.row, at.position, strict=True):
            found.append((int(user), int(positive), batch.users.history[row, :place].tolist()))
    return sorted(found)


def test_each_interaction_is_told_from_those_before_it():
    expected = [(0, item, list(range(5, item))) for item in range(5, 10)]
    expected += [(2, 3, []), (3, 0, [1]), (3, 1, []), (3, 2, [1, 0])]
    assert told(sequences(max_history=5)) == sorted(expected)


def test_a_long_history_is_cut_into_pieces_each_with_the_item_before_it():
    lists = ItemLists(np.array([0, 5]), LISTS.values[:5])
    expected = [(0, 5, []), (0, 6, [5]), (0, 7, [5, 6]), (0, 8, [7]), (0, 9, [7, 8])]  # pieces 5 | 6 7 | 8 9
    assert told(sequences(2, lists=lists)) == expected
    assert max(batch.users.history.shape[1] for block in sequences(2) for batch in block) == 3


@pytest.mark.parametrize("world_size", [1, 2])
def test_every_interaction_comes_once_whatever_the_batches(world_size):
    parts = [told(sequences(2, batch_size=3, rank=rank, world_size=world_size)) for rank in range(world_size)]
    if world_size == 1:
        assert len(list(sequences(2, batch_size=3))) > 1
    assert {(user, item) for part in parts for user, item, _ in part} == {
        (0, 5), (0, 6), (0, 7), (0, 8), (0, 9), (2, 3), (3, 1), (3, 0), (3, 2)
    }  # fmt: skip


def test_processes_weigh_their_shares_by_examples():
    shares = [[batch for block in sequences(5, rank=rank, world_size=2) for batch in block] for rank in range(2)]
    sizes, weights = zip(*[(len(own[0].positives), own[0].weight) for own in shares], strict=True)
    assert sum(sizes) == 9
    assert weights == pytest.approx([2 * size / 9 for size in sizes])


def test_hidden_items_are_a_share_drawn_anew_in_each_epoch_and_at_least_one_of_a_sequence():
    lists = ItemLists(np.arange(0, 4001, 20), np.tile(np.arange(20, dtype=np.int32), 200))
    drawn = [told(sequences(20, 0.3, epoch, 10**6, lists=lists)) for epoch in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    expected = (1 - LAST_ALONE) * 0.3 + LAST_ALONE / 20
    assert len(drawn[0]) / 4000 == pytest.approx(expected, abs=0.03)
    assert {user for user, _, _ in drawn[0]} == set(range(200))
    assert {item for user, item, _ in told(sequences(20, 1e-9, 0, lists=lists))} == {19}  # none drawn: the newest


SEQUENTIAL = [
    RecurrentProfile,
    lambda context: RecurrentProfile(context, user_state=True),
    lambda context: TransformerProfile(context, count_from="oldest"),
    LiGRProfile,
    HSTUProfile,
]


@pytest.mark.parametrize("make", SEQUENTIAL)
def test_a_sequence_at_once_has_the_loss_of_its_examples_one_by_one(make):
    context = ModelContext(8, torch.ones(4, dtype=torch.bool), torch.ones(N_ITEMS, dtype=torch.int64))
    features = ItemFeatures(context, TextVectors(torch.zeros(N_ITEMS, 0)), ids=True)
    model = Recommender(features, make(context), DotRanker(context)).eval()
    rows = np.repeat(np.arange(4), LISTS.lengths)
    before = np.arange(9) - LISTS.offsets[rows]
    examples = Examples(rows, LISTS.values.astype(np.int64), LISTS, rows, before)
    ((alone,),) = TrainBatches(examples, 100, 5, "before", None, 0, lambda: 0)
    ((together,),) = sequences(max_history=5)

    def loss_and_gradient(batch):
        model.zero_grad()
        own, others = model.score(batch.users, batch.positives.unsqueeze(1), torch.arange(N_ITEMS))
        loss = sampled_softmax(own.squeeze(1), others, torch.arange(N_ITEMS) != batch.positives.unsqueeze(1))
        loss.backward()
        return loss, [parameter.grad for parameter in model.parameters() if parameter.grad is not None]

    (one, gradients), (other, further) = loss_and_gradient(alone), loss_and_gradient(together)
    assert torch.isclose(one, other, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(gradients, further, strict=True))


@pytest.mark.parametrize("make", [*SEQUENTIAL, TransformerProfile, BSARecProfile, BidirectionalProfile])
def test_all_others_as_the_history_read_the_newest_and_never_the_positive(make):
    context = ModelContext(8, torch.ones(4, dtype=torch.bool), torch.ones(N_ITEMS, dtype=torch.int64))
    rows, before = np.array([0]), np.array([2])
    examples = Examples(rows, np.array([7]), LISTS, rows, before)
    (batch,) = TrainBatches(examples, 1, 5, "others", None, 0, lambda: 0).make([torch.tensor([0])])
    profile, vectors = make(context).eval(), torch.randn(N_ITEMS, 8)
    alone = UserBatch(torch.tensor([0]), torch.tensor([[5, 6, 8, 9]]), torch.ones(1, 4, dtype=torch.bool))
    found = profile(batch.users, vectors, batch.users.history)
    assert torch.allclose(found, profile(alone, vectors, alone.history), atol=1e-5)


@pytest.mark.parametrize("profile", ["mean", "transformer", "bsarec"])
def test_a_profile_that_cannot_is_refused(profile):
    cfg = recsys.compose([f"profile={profile}", "batches.train_history=sequence"])
    with pytest.raises(ConfigError, match=rf"profile={profile} and ranker=dot do not"):
        rehearse(cfg)
