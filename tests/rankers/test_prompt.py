from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from encoders.tiny_models import WORDS, auto_folder, bert_folder, causal_folder
from scipy.stats import spearmanr
from torch.nn.functional import log_softmax

from recsys.language_models.causal import CausalLM
from recsys.rankers.base import OwnItems
from recsys.rankers.biases import mean_spearman
from recsys.rankers.itemknn import ItemKNNRanker
from recsys.rankers.popularity import PopularityRanker
from recsys.rankers.prompt import PromptRanker
from recsys.rankers.prompts import Prompt, newest
from recsys.rankers.reranking import FLOOR, best_unseen, in_retrievers_order
from recsys.schema import ConfigError, ItemTexts, UserBatch
from recsys.testing.ranker_contract import N_ITEMS, RankerContract, catalogue, context, train, user_side

# Of different lengths; two items share a text, and one has none.
TITLES = ["", *(" ".join(WORDS[start % 7 : start % 7 + 1 + start % 4]) for start in range(N_ITEMS - 1))]
PROMPT = Prompt("films of love", "is{text} new? say", n_history=2)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def weights(request, tmp_path_factory) -> str:
    return str(causal_folder(request.param, tmp_path_factory.mktemp(request.param)))


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> str:
    return str(causal_folder("llama", tmp_path_factory.mktemp("llama")))


def with_texts(tmp_path="/nowhere", titles=TITLES):
    return replace(context(), texts=ItemTexts(lambda: titles, lambda: titles, tmp_path))


def new(weights: str, prompt: Prompt = PROMPT, retriever=None, **options) -> PromptRanker:
    return PromptRanker(with_texts(), CausalLM(weights), prompt, retriever, **options)


class PromptContract(RankerContract):
    @pytest.fixture
    def ranker(self, llama):
        made = self.new(llama)
        made.fit(train())
        return made.eval()

    def new(self, weights):
        raise NotImplementedError


class TestPromptOfEverything(PromptContract):
    def new(self, weights):
        return new(weights)


class TestPromptOfTheBest(PromptContract):
    def new(self, weights):
        return new(weights, retriever=PopularityRanker, top_n=5)


class TestPromptWithExamples(PromptContract):
    def new(self, weights):
        retriever = partial(ItemKNNRanker, n_neighbors=9)
        return new(weights, replace(PROMPT, n_examples=2), retriever, top_n=5, score="yes_no")


def text_of(history: list[int]) -> str:
    return "films of love\n" + "".join(f"- {TITLES[item]}\n" for item in history)


def pieces(ranker: PromptRanker, history: list[int], before: str) -> list[int]:
    """Tokens of the text, piece by piece."""
    tokens = [0, *ranker.language_model.tokenizer("films of love\n")["input_ids"]]
    for item in history:
        for piece in ("-", f" {TITLES[item]}", "\n"):
            tokens += ranker.language_model.tokenizer(piece)["input_ids"]
    return [*tokens, *ranker.language_model.tokenizer(before)["input_ids"]]


def histories() -> list[list[int]]:
    batch = user_side().batch
    return [row[mask].tolist() for row, mask in zip(batch.history, batch.history_mask, strict=True)]


@torch.no_grad()
def plain_likelihood(ranker: PromptRanker, history: list[int], item: int) -> float:
    """By transformers' own loss of the whole text, read in one go."""
    before = pieces(ranker, history, "-")
    after = ranker.language_model.tokenizer(f" {TITLES[item]}")["input_ids"]
    ids, labels = torch.tensor([before + after]), torch.tensor([[-100] * len(before) + after])
    return -float(ranker.language_model.model(input_ids=ids, labels=labels).loss)


@torch.no_grad()
def plain_odds(ranker: PromptRanker, history: list[int], item: int) -> float:
    tokenizer = ranker.language_model.tokenizer
    after = tokenizer(f" {TITLES[item]}")["input_ids"] + tokenizer(" new? say")["input_ids"]
    logits = ranker.language_model.model(torch.tensor([pieces(ranker, history, "is") + after])).logits[0, -1]
    yes, no = (tokenizer(answer)["input_ids"][0] for answer in (" yes", " no"))
    return float(log_softmax(logits, 0)[yes] - log_softmax(logits, 0)[no])


@pytest.mark.parametrize("calibrate", [True, False])
@pytest.mark.parametrize(("score", "plain"), [("likelihood", plain_likelihood), ("yes_no", plain_odds)])
def test_it_equals_the_whole_text_read_at_once(weights, score, plain, calibrate):
    ranker = new(weights, score=score, calibrate=calibrate)
    found = ranker.score_catalogue(user_side(), catalogue())
    chosen = [0, 1, 4, 17, 29]
    expected = [
        [plain(ranker, history[-2:], item) - calibrate * plain(ranker, [], item) for item in chosen]
        for history in histories()
    ]
    np.testing.assert_allclose(found[:, chosen].numpy(), expected, atol=1e-5)
    assert found[:3].std() > 0.1


def test_the_prompt_reads_as_a_list_of_the_newest_items(llama):
    ranker = new(llama)
    prefixes = ranker.tokens.prefixes(newest(user_side().batch, 2), ranker.examples)
    decode = ranker.language_model.tokenizer.decode
    read = [decode(ids[1:length]) for ids, length in zip(prefixes.ids, prefixes.lengths, strict=True)]
    assert read == [f"{text_of(history[-2:])}-" for history in histories()]
    assert decode(ranker.tokens.continuations(torch.tensor([3])).ids[0]) == f" {TITLES[3]}"


def test_long_titles_are_truncated_at_their_end(llama):
    ranker = new(llama, replace(PROMPT, max_item_tokens=2))
    ranker.language_model.open("/nowhere")
    ranker.language_model.tokenizer.truncation_side = "left"
    whole = ranker.language_model.tokens([f" {TITLES[4]}"])[0]
    assert ranker.tokens.continuations(torch.tensor([4])).ids[0].tolist() == whole[:2] != whole[-2:]


def test_a_history_is_read_once_for_all_candidates(llama):
    ranker = new(llama, calibrate=False)
    prefixes, all_items = ranker.tokens.prefixes(newest(user_side().batch, 2), ranker.examples), torch.arange(N_ITEMS)
    sizes = []
    embedding = ranker.language_model.model.get_input_embeddings()
    embedding.register_forward_hook(lambda module, args, out: sizes.append(args[0].numel()))
    ranker.score_catalogue(user_side(), catalogue())
    continuations = ranker.tokens.continuations(all_items.repeat(4)).ids.numel()
    # With the padding of one batch each; the last token of a history is read again with each candidate.
    assert sum(sizes) == (prefixes.ids.numel() - 4) + continuations + 4 * N_ITEMS


def test_the_size_of_batches_changes_nothing(llama):
    whole, single = new(llama), new(llama)
    single.language_model.batch_tokens = 40
    expected = whole.score_catalogue(user_side(), catalogue())
    torch.testing.assert_close(single.score_catalogue(user_side(), catalogue()), expected, atol=1e-5, rtol=0)


def test_what_is_not_among_the_best_stands_below_in_the_retrievers_order(llama):
    ranker = new(llama, retriever=PopularityRanker, top_n=5)
    scores = ranker.score_catalogue(user_side(), catalogue())
    everything = new(llama).score_catalogue(user_side(), catalogue())
    # Items are numbered by their popularity; histories are {3, 8, 1}, {0, 2}, {5, 6, 7, 29} and nothing.
    best = [[0, 2, 4, 5, 6], [1, 3, 4, 5, 6], [0, 1, 2, 3, 4], []]
    for row, items in enumerate(best):
        torch.testing.assert_close(scores[row, items], everything[row, items], atol=1e-5, rtol=0)
        others = [item for item in range(N_ITEMS) if item not in items]
        assert scores[row, others].max() < FLOOR
        assert scores[row, others].argsort(descending=True).tolist() == list(range(len(others)))


def test_equal_items_at_the_edge_are_left_out():
    scores = torch.tensor([[5.0, 4, 4, 4, 3], [9, 8, 7, 6, 5], [1, 1, 1, 1, 1]])
    history = torch.tensor([[4], [1], [0]])
    users = UserBatch(torch.arange(3), history, torch.tensor([[True], [True], [False]]))
    items, mask = best_unseen(scores, users, 2)
    assert [sorted(row[kept].tolist()) for row, kept in zip(items, mask, strict=True)] == [[0], [0, 2], []]
    items, mask = best_unseen(scores, users, 9)
    assert mask.sum(dim=1).tolist() == [4, 4, 5]


def test_below_the_best_equal_scores_stay_equal():
    order = in_retrievers_order(torch.tensor([[0.5, 2.0, 0.5, -1.0]])) - FLOOR
    assert order.tolist() == [[-2.0, -1.0, -2.0, -3.0]]


def test_an_impossible_value_of_the_retriever_is_named_with_its_key(llama):
    with pytest.raises(ConfigError, match=r"^ranker\.retriever\.n_neighbors is -1; expected a whole number"):
        new(llama, retriever=partial(ItemKNNRanker, n_neighbors=-1), top_n=5)


def test_items_that_the_retriever_excludes_stay_excluded():
    order = in_retrievers_order(torch.tensor([[0.5, -torch.inf, 2.0, -torch.inf], [-torch.inf] * 4])) - FLOOR
    assert order.tolist() == [[-2.0, -torch.inf, -1.0, -torch.inf], [-torch.inf] * 4]


def test_examples_are_train_users_newest_items_and_come_back_with_the_weights(llama):
    ranker = new(llama, replace(PROMPT, n_examples=2), PopularityRanker)
    ranker.fit(train())
    data = train()
    order = np.argsort(data.timestamps, kind="stable")
    newest_items = [data.items[order][data.users[order] == user][-3:].tolist() for user in range(3)]
    assert all(example in newest_items for example in ranker.examples.tolist())
    prefix = ranker.tokens.prefixes(torch.tensor([[-1, 7]]), ranker.examples)
    told = "\n".join(text_of(example) for example in ranker.examples.tolist())
    assert ranker.language_model.tokenizer.decode(prefix.ids[0][1:]) == f"{told}\n{text_of([7])}-"
    again = new(llama, replace(PROMPT, n_examples=2), PopularityRanker)
    again.load_state_dict(ranker.state_dict())
    found, expected = (one.score_catalogue(user_side(), catalogue()) for one in (again, ranker))
    assert torch.equal(found, expected)


def test_biases_are_rank_correlations_within_each_user(llama):
    ranker = new(llama, retriever=PopularityRanker, top_n=6)
    report = ranker.measure(user_side(), None)
    assert (report["n_users"], report["candidates_mean"]) == (3, 18 / 4)
    scores = ranker.score_catalogue(user_side(), catalogue())[:3].numpy()
    best = [np.flatnonzero(row > FLOOR) for row in scores]
    known = {"train_popularity": context().item_counts, "likelihood_without_history": ranker.without_history}
    for name, values in known.items():
        each = [spearmanr(row[items], values[items]).statistic for row, items in zip(scores, best, strict=True)]
        assert report["rank_correlation"][name] == pytest.approx(np.mean(each), abs=1e-6)


def test_a_history_of_one_item_has_one_order(llama):
    users, shown = user_side((1,)), torch.arange(N_ITEMS).unsqueeze(0)
    assert new(llama).measure(users, None) == {}
    reports = [new(llama, replace(PROMPT, n_history=n)).measure(users, shown)["rank_correlation"] for n in (1, 2)]
    one, two = (report["scores_with_the_history_reversed"] for report in reports)
    assert one == pytest.approx(1.0)
    assert two < 0.999


def test_spearman_is_scipys_with_ties_and_without_what_is_masked():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, (5, 12)), rng.standard_normal((5, 12))
    mask = rng.random((5, 12)) < 0.7
    expected = [spearmanr(a[kept], b[kept]).statistic for a, b, kept in zip(first, second, mask, strict=True)]
    found = mean_spearman(torch.tensor(first), torch.tensor(second), torch.tensor(mask))
    assert found == pytest.approx(np.mean(expected))


def test_the_language_model_is_not_among_the_weights(llama):
    ranker = new(llama, retriever=PopularityRanker)
    ranker.fit(train())
    assert set(ranker.state_dict()) == {"examples", "retriever.counts"}
    assert not list(ranker.parameters())


def test_impressions_are_scored_as_they_are(llama):
    rows = torch.tensor([[3, 29], [5, 5], [1, 2], [9, 8]])
    found = new(llama).score(user_side(), OwnItems(rows, torch.empty(len(catalogue().idx), 0), rows))
    assert torch.allclose(found, new(llama).score_catalogue(user_side(), catalogue()).gather(1, rows), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda weights: new(weights, score="rating"), "ranker.score"),
        (lambda weights: new(weights, top_n=1), "ranker.top_n"),
        (lambda weights: new(weights, n_diagnostic_users=-1), "ranker.n_diagnostic_users"),
        (lambda weights: Prompt("", "which one?"), "ranker.prompt.question"),
        (lambda weights: Prompt("", "{text}", n_history=0), "ranker.prompt.n_history"),
        (lambda weights: Prompt("", "{text}", item_text="plot"), "ranker.prompt.item_text"),
        (lambda weights: CausalLM(weights, batch_tokens=0), "ranker.language_model.batch_tokens"),
        (lambda weights: CausalLM(weights, device="tpu"), "ranker.language_model.device"),
        (lambda weights: new("/no/such/folder"), "ranker.language_model.weights"),
    ],
)
def test_impossible_values_are_refused_by_their_key(make, key, llama):
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        make(llama)


def test_a_model_that_reads_in_both_directions_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ranker\.language_model\.weights: .* is bert, which reads in both"):
        new(str(bert_folder(tmp_path)))


def test_a_model_that_predicts_no_tokens_is_refused(tmp_path):
    ranker = new(str(auto_folder("llama")(tmp_path)))
    with pytest.raises(ConfigError, match=r"ranker\.language_model\.weights: .*lacks 1 weights.*lm_head"):
        ranker.fit(train())


def test_a_prompt_that_is_too_long_for_the_model_is_refused(llama):
    with pytest.raises(ConfigError, match=r"may take \d+ tokens, and the model reads 512: lower ranker\.prompt"):
        new(llama, replace(PROMPT, n_history=200)).score_catalogue(user_side(), catalogue())


def test_data_without_texts_is_refused(llama):
    ranker = PromptRanker(with_texts(titles=[" "] * N_ITEMS), CausalLM(llama), PROMPT)
    with pytest.raises(ConfigError, match="reads the items' texts, and the data has none"):
        ranker.fit(train())
