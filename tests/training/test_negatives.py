import pytest
import torch

from recsys.schema import ConfigError, ModelContext, TrainBatch, UserBatch
from recsys.training.negatives import (
    AllNegatives,
    HardNegatives,
    InBatchNegatives,
    KnownPositives,
    PopularityNegatives,
    ShownNegatives,
    UniformNegatives,
)

# User 0 has items 0, 1, 2; user 1 has item 0; user 2 has all five train items; item 5 is cold.
PAIRS = [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (2, 4)]
COUNTS = torch.tensor([3, 2, 2, 1, 1, 0])
KNOWN_SETS = {0: {0, 1, 2}, 1: {0}, 2: {0, 1, 2, 3, 4}}


def context():
    return ModelContext(4, torch.tensor([True, True, True]), COUNTS)


def known():
    users, items = torch.tensor(PAIRS).T
    return KnownPositives(users, items, 3, 6)


def batch(users, positives=None):
    idx = torch.tensor(users)
    empty = torch.zeros(len(idx), 0)
    positives = torch.zeros(len(idx), dtype=torch.long) if positives is None else torch.tensor(positives)
    return TrainBatch(UserBatch(idx, empty.long(), empty.bool()), positives)


def no_score(users, items):
    raise AssertionError("this sampler has no use for scores")


def draw(sampler, users, positives=None, score=no_score):
    given = batch(users, positives)
    return sampler.choose(given.users, sampler.draw(given, torch.Generator().manual_seed(0)), score)


SAMPLERS = {
    "uniform": lambda: UniformNegatives(context(), known(), n_negatives=200),
    "popularity": lambda: PopularityNegatives(context(), known(), n_negatives=200),
    "hard": lambda: HardNegatives(context(), known(), n_negatives=50, pool_size=200),
    "all": lambda: AllNegatives(context(), known()),
    "in_batch": lambda: InBatchNegatives(context(), known()),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_unmasked_negative_is_a_train_positive_or_a_cold_item(name):
    users, positives = [0, 1, 2], [2, 0, 4]
    negatives = draw(SAMPLERS[name](), users, positives, score=lambda _, items: items.float())
    items = negatives.items.expand(len(users), -1) if negatives.items.dim() == 1 else negatives.items
    for row, user in enumerate(users):
        drawn = set(items[row][negatives.mask[row]].tolist())
        assert not drawn & KNOWN_SETS[user]
        assert 5 not in drawn
    assert not negatives.mask[2].any(), "user 2 has every train item, so nothing can be a negative"


@pytest.mark.parametrize("name", ["uniform", "popularity", "hard"])
def test_the_same_generator_gives_the_same_negatives(name):
    def score(_, items):
        return items.float()

    first, second = (draw(SAMPLERS[name](), [0, 1], score=score) for _ in range(2))
    assert torch.equal(first.items, second.items)


def test_uniform_covers_what_is_allowed_evenly():
    negatives = draw(UniformNegatives(context(), known(), n_negatives=20_000), [1])
    shares = torch.bincount(negatives.items[0], minlength=6) / 20_000
    assert torch.allclose(shares, torch.tensor([0, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 0]), atol=0.02)


def test_popularity_follows_count_to_the_power_of_alpha():
    negatives = draw(PopularityNegatives(context(), known(), n_negatives=20_000, alpha=2.0), [1])
    shares = torch.bincount(negatives.items[0], minlength=6) / 20_000
    # Squares of the counts 2, 2, 1, 1 of the items that user 1 has not: 4 + 4 + 1 + 1 = 10.
    assert torch.allclose(shares, torch.tensor([0, 4 / 10, 4 / 10, 1 / 10, 1 / 10, 0]), atol=0.02)


def test_log_q_is_the_log_of_the_drawing_probability():
    sampler = PopularityNegatives(context(), known(), alpha=1.0, log_q=True)
    assert torch.allclose(sampler.log_q.exp(), COUNTS / 9)
    negatives = draw(sampler, [0, 1], [2, 0])
    assert torch.allclose(negatives.log_q.exp(), COUNTS[negatives.items] / 9)
    assert torch.allclose(negatives.positive_log_q.exp(), torch.tensor([2 / 9, 3 / 9]))
    negatives = draw(InBatchNegatives(context(), known()), [0, 2], [2, 4])
    assert torch.allclose(negatives.log_q.exp(), torch.tensor([2 / 9, 1 / 9]))
    assert torch.allclose(negatives.positive_log_q.exp(), torch.tensor([2 / 9, 1 / 9]))
    assert draw(InBatchNegatives(context(), known(), log_q=False), [0, 1], [2, 0]).log_q is None


def test_batches_that_share_a_draw_have_the_negatives_of_one_batch():
    sampler, batches = PopularityNegatives(context(), known(), log_q=True), [batch([0, 1], [2, 0]), batch([2], [4])]
    together = sampler.draw(batch([0, 1, 2], [2, 0, 4]), torch.Generator().manual_seed(1))
    first, second = sampler.draw_all(batches, torch.Generator().manual_seed(1))
    for name, whole in vars(together).items():
        assert torch.equal(torch.cat([getattr(first, name), getattr(second, name)]), whole)
        assert len(getattr(second, name)) == 1


def test_negatives_of_a_whole_batch_are_drawn_batch_by_batch():
    batches = [batch([0, 1], [2, 0]), batch([2], [4])]
    first, second = InBatchNegatives(context(), known()).draw_all(batches, torch.Generator())
    assert (first.items.tolist(), second.items.tolist()) == ([2, 0], [4])


def test_hard_takes_the_best_scored():
    negatives = draw(HardNegatives(context(), known(), pool_size=50), [1], score=lambda _, items: items.float())
    assert negatives.items.tolist() == [[4]]


def test_mask_of_shared_equals_membership():
    pairs = known()
    users, items = torch.tensor([2, 0, 1, 0]), torch.tensor([5, 0, 3, 0, 2])
    contain = pairs.contain(users.repeat_interleave(5), items.repeat(4)).view(4, 5)
    assert torch.equal(pairs.mask_of_shared(users, items), ~contain)


def test_searching_keys_equals_looking_up_the_table(monkeypatch):
    users, items = torch.arange(3).repeat_interleave(6), torch.arange(6).repeat(3)
    looked_up = known().contain(users, items)
    assert UniformNegatives(context(), known()).known.table is not None
    monkeypatch.setattr("recsys.training.negatives.MAX_TABLE", 0)
    assert torch.equal(known().contain(users, items), looked_up)
    assert draw(SAMPLERS["uniform"](), [1]).mask.all()


def test_shown_draws_without_repetition_from_what_was_shown():
    shown = torch.tensor([[3, 4, 5], [4, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    given = batch([0, 1])
    given.shown, given.shown_mask = shown, mask
    negatives = ShownNegatives(context(), known(), 4).draw(given, torch.Generator().manual_seed(0))
    assert sorted(negatives.items[0][negatives.mask[0]].tolist()) == [3, 4, 5]
    assert negatives.items[1][negatives.mask[1]].tolist() == [4]


def test_shown_needs_impressions():
    with pytest.raises(ConfigError, match="negatives=shown needs data with impressions"):
        draw(ShownNegatives(context(), known()), [0])


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: UniformNegatives(context(), known(), n_negatives=0), "negatives.n_negatives"),
        (lambda: PopularityNegatives(context(), known(), n_negatives=0), "negatives.n_negatives"),
        (lambda: ShownNegatives(context(), known(), n_negatives=0), "negatives.n_negatives"),
        (lambda: HardNegatives(context(), known(), n_negatives=0), "negatives.n_negatives"),
        (lambda: HardNegatives(context(), known(), n_negatives=4, pool_size=3), "negatives.pool_size"),
    ],
)
def test_impossible_values_are_refused_by_their_key(make, key):
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        make()


def test_the_least_values_are_accepted():
    for cls in (UniformNegatives, PopularityNegatives, ShownNegatives):
        assert cls(context(), known(), n_negatives=1).n_negatives == 1
    negatives = draw(HardNegatives(context(), known(), 3, pool_size=3), [1], score=lambda _, items: items.float())
    assert negatives.items.shape == (1, 3)
