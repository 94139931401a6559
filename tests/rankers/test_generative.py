import pytest
import torch

from recsys.layers.semantic_codes import SemanticCodes
from recsys.rankers.base import OwnItems, UserSide
from recsys.rankers.generative import GenerativeRanker
from recsys.schema import ConfigError, Positions, UserBatch
from recsys.testing.ranker_contract import N_ITEMS, RankerContract, catalogue, context, user_side

CODES = SemanticCodes(n_levels=2, n_codes=3)  # at most 9 full codes for 30 items, so the extra code is needed


class Text:
    def __init__(self, n: int = N_ITEMS) -> None:
        self.vectors = torch.randn(n, 6, generator=torch.Generator().manual_seed(5))


def make(text: Text | None = None, codes=CODES, **settings) -> GenerativeRanker:
    return GenerativeRanker(context(), text or Text(), codes, **{"dim": 8, "n_layers": 1, **settings})


def spread(ranker: GenerativeRanker) -> GenerativeRanker:
    for parameter in ranker.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return ranker


class TestGenerativeRanker(RankerContract):
    def make(self):
        return make()

    def test_the_probabilities_of_the_catalogue_add_up_to_1(self, ranker):
        scores = ranker.score_catalogue(user_side(), catalogue())
        assert torch.allclose(scores.exp().sum(dim=1), torch.ones(4), atol=1e-5)
        assert scores.exp().std(dim=1).min() > 0.01

    def test_in_training_the_probabilities_of_train_items_add_up_to_1(self):
        ranker = spread(make(dropout=0.0))
        ranker.trains_on_cold = False
        idx = torch.arange(N_ITEMS - 1).expand(4, -1)
        scores = ranker.train().score(user_side(), OwnItems(idx, torch.empty(0), idx))
        assert torch.allclose(scores.exp().sum(dim=1), torch.ones(4), atol=1e-5)

    def test_items_of_one_first_code_share_its_probability(self, ranker):
        """p(code 1) is the total of its items: exactly what a decoder of the first level predicts."""
        memory, padding = ranker._read(user_side().batch)
        start = ranker.model.prefixes(ranker.trie.codes[:1])[:, 0].expand(4, 1, -1)
        logits = ranker.model.logits(ranker.model.decode(start, memory, padding, None), 0).squeeze(1)
        scores, first = ranker.score_catalogue(user_side(), catalogue()).exp(), ranker.trie.codes[:, 0]
        found = torch.stack([scores[:, first == code].sum(dim=1) for code in range(3)], dim=1)
        assert torch.allclose(found, logits.softmax(dim=1), atol=1e-5)

    def test_a_beam_that_covers_the_catalogue_is_exact(self, ranker):
        n = max(ranker.trie.n_nodes[:-1])
        expected = ranker.score_catalogue(user_side(), catalogue())
        ranker.n_beams = n  # the code of a beam, with all prefixes in it
        assert torch.allclose(ranker.score_catalogue(user_side(), catalogue()), expected, atol=1e-5)
        assert make(n_beams=n).n_beams is None

    def test_a_beam_ranks_its_items_exactly_and_before_all_others(self, ranker):
        exact = ranker.score_catalogue(user_side(), catalogue())
        ranker.n_beams = 1
        found = ranker.score_catalogue(user_side(), catalogue())
        inside = torch.isclose(found, exact, atol=1e-5)
        assert torch.isfinite(found).all()
        assert inside.any(dim=1).all()
        assert not inside.all(dim=1).any()
        lowest = found.masked_fill(~inside, torch.inf).amin(dim=1, keepdim=True)
        assert ((found < lowest) | inside).all()
        codes, best = ranker.trie.codes, found.argmax(dim=1)
        first = torch.stack([exact.exp()[:, codes[:, 0] == code].sum(dim=1) for code in range(3)]).argmax(dim=0)
        assert torch.equal(codes[best, 0], first)

    def test_small_chunks_change_nothing(self, ranker, monkeypatch):
        rows = torch.tensor([[3, 29], [5, 5], [1, 2], [9, 8]])
        pairs = OwnItems(rows, torch.empty(0), rows)
        expected = ranker.score_catalogue(user_side(), catalogue()), ranker.score(user_side(), pairs)
        monkeypatch.setattr("recsys.rankers.generative.NUMBERS_AT_ONCE", 1)
        assert torch.allclose(ranker.score_catalogue(user_side(), catalogue()), expected[0], atol=1e-6)
        assert torch.allclose(ranker.score(user_side(), pairs), expected[1], atol=1e-6)

    def test_gaps_and_padding_of_a_history_change_nothing(self, ranker):
        one = UserBatch(torch.tensor([0]), torch.tensor([[3, 8, 1]]), torch.ones(1, 3, dtype=torch.bool))
        mask = torch.tensor([[True, False, True, True, False]])
        two = UserBatch(torch.tensor([0]), torch.tensor([[3, 9, 8, 1, 4]]), mask)
        found = [ranker.score_catalogue(UserSide(each, torch.empty(1, 0)), catalogue()) for each in (one, two)]
        assert torch.allclose(*found, atol=1e-6)

    def test_positions_of_a_sequence_are_scored_as_histories_before_them(self, ranker):
        history = torch.tensor([[3, 8, 1, 7], [5, 6, 0, 0]])
        mask = torch.tensor([[True] * 4, [True, True, False, False]])
        positions = Positions(torch.tensor([0, 0, 1, 0]), torch.tensor([0, 3, 1, 1]))
        idx = torch.tensor([[4, 2], [7, 9], [6, 0], [8, 8]])
        together = UserSide(
            UserBatch(torch.tensor([0, 0, 1, 0]), history, mask, positions=positions), torch.empty(4, 0)
        )
        found = ranker.score(together, OwnItems(idx, torch.empty(0), idx))
        for row, (of, place) in enumerate(zip(positions.row, positions.position, strict=True)):
            before = UserBatch(torch.tensor([0]), history[of : of + 1, :place], mask[of : of + 1, :place])
            own = OwnItems(idx[row : row + 1], torch.empty(0), idx[row : row + 1])
            expected = ranker.score(UserSide(before, torch.empty(1, 0)), own)
            assert torch.allclose(found[row], expected[0], atol=1e-5)

    def test_the_order_of_a_history_matters(self, ranker):
        users = user_side()
        swapped = user_side()
        swapped.batch.history[0] = torch.tensor([8, 3, 1, 0])
        found = [ranker.score_catalogue(each, catalogue())[0] for each in (users, swapped)]
        assert not torch.allclose(*found, atol=1e-3)


@pytest.mark.slow
def test_it_learns_which_item_follows_and_beats_popularity():
    """Item i is followed by i + 1, around a circle; all items are equally popular."""
    torch.manual_seed(0)
    ranker = make(codes=SemanticCodes(n_levels=2, n_codes=6), dim=16, dropout=0.0)
    ranker.trains_on_cold = True
    optimizer = torch.optim.Adam(ranker.parameters(), 0.01)
    history = (torch.arange(N_ITEMS).unsqueeze(1) + torch.arange(3)) % N_ITEMS
    users = UserBatch(torch.arange(N_ITEMS), history, torch.ones_like(history, dtype=torch.bool))
    side, following = UserSide(users, torch.empty(N_ITEMS, 0)), (history[:, -1:] + 1) % N_ITEMS
    for _ in range(120):
        optimizer.zero_grad()
        (-ranker.score(side, OwnItems(following, torch.empty(0), following)).mean()).backward()
        optimizer.step()
    best = ranker.eval().score_catalogue(side, catalogue()).argmax(dim=1, keepdim=True)
    assert (best == following).float().mean() > 0.9  # popularity is right for 1 of 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_heads": 3}, r"ranker\.n_heads is 3"),
        ({"dim": 0}, r"ranker\.dim is 0"),
        ({"n_beams": 0}, r"ranker\.n_beams is 0"),
    ],
)
def test_impossible_values_are_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        make(**settings)


def test_no_text_vectors_are_an_error():
    text = Text()
    text.vectors = text.vectors[:, :0]
    with pytest.raises(ConfigError, match="encoder=none"):
        make(text)
