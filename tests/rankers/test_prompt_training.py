"""A prompt ranker that is trained: its examples, its loss, what it learns, and that training continues after a kill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from encoders.tiny_models import WORDS, causal_folder

from recsys import schema
from recsys.finetuning.bitfit import BitFit
from recsys.finetuning.delta import Delta
from recsys.finetuning.full import Full
from recsys.finetuning.last_n import LastN
from recsys.finetuning.lora import Lora
from recsys.language_models import label_training
from recsys.language_models.causal import CausalLM
from recsys.language_models.label_training import label_logits, label_loss
from recsys.language_models.token_lists import Tokens
from recsys.rankers.popularity import PopularityRanker
from recsys.rankers.prompt import PromptRanker
from recsys.rankers.prompt_examples import list_examples, pair_examples
from recsys.rankers.prompt_training import PromptTraining, RetrievedTargets, newest_of_users, retrieved_targets
from recsys.rankers.prompts import Prompt
from recsys.rankers.reranking import FLOOR
from recsys.schema import ConfigError, ItemTexts, ModelContext, TrainInteractions, UserBatch
from recsys.testing.ranker_contract import RankerContract, catalogue, train, user_side
from recsys.testing.ranker_contract import context as contract_context

pytestmark = pytest.mark.slow  # language models are trained

N_USERS, N_ITEMS = 40, 12
NEWEST = N_ITEMS // 2  # the first items, whose titles end with another word, are every user's newest ones
TITLES = [f"{WORDS[2 + item % 4]} {WORDS[0] if item < NEWEST else WORDS[1]}" for item in range(N_ITEMS)]
ITEMS = torch.arange(9).expand(3, -1)
TRAINING = PromptTraining(n_users=24, n_validation_users=8, max_epochs=3, patience=3, batch_tokens=300)
PROMPT = Prompt("", "{text}", n_history=1, list_question="which")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return str(causal_folder("llama", tmp_path_factory.mktemp("llama")))


def planted() -> TrainInteractions:
    """Each user has three items of the second half of the catalogue, then one of the first."""
    rng = np.random.default_rng(0)
    items = [[*rng.permutation(NEWEST)[:3] + NEWEST, rng.integers(NEWEST)] for _ in range(N_USERS)]
    users = np.repeat(np.arange(N_USERS), 4)
    times = np.arange(len(users))
    return TrainInteractions(users, np.ravel(items), times, N_USERS, N_ITEMS, np.zeros((N_ITEMS, 0), np.float32))


def context(tmp_path) -> ModelContext:
    texts = ItemTexts(lambda: TITLES, lambda: TITLES, tmp_path)
    counts = torch.from_numpy(np.bincount(planted().items, minlength=N_ITEMS))
    return ModelContext(8, torch.ones(N_USERS, dtype=torch.bool), counts, texts=texts)


def new(weights, tmp_path, method=None, score="letters", training=TRAINING, top_n=N_ITEMS) -> PromptRanker:
    options = {"top_n": top_n, "score": score, "training": training}
    ranker = PromptRanker(context(tmp_path), CausalLM(weights), PROMPT, PopularityRanker, **options)
    if method is not None:
        ranker.train_with(method)
    return ranker


HISTORIES = UserBatch(torch.full((3,), -1), torch.tensor([[6], [8], [11]]), torch.ones(3, 1, dtype=torch.bool))


def share_in_order(ranker: PromptRanker) -> float:
    """The share of pairs of candidates, one of the first half and one of the second, where the first is above."""
    scores = ranker.eval()._scores(HISTORIES, ITEMS, torch.ones_like(ITEMS, dtype=torch.bool))
    return float((scores[:, :NEWEST].unsqueeze(2) > scores[:, NEWEST:].unsqueeze(1)).double().mean())


def test_examples_of_a_trained_ranker_end_before_the_targets(weights, tmp_path):
    shown = replace(PROMPT, n_examples=3)
    options = {"top_n": N_ITEMS, "score": "yes_no", "training": replace(TRAINING, max_epochs=1)}
    for method, has_target in ((Full(), False), (None, True)):
        ranker = PromptRanker(context(tmp_path), CausalLM(weights), shown, PopularityRanker, **options)
        if method is not None:
            ranker.train_with(method)
        ranker.fit(planted())
        newest = ranker.examples[:, -1]
        assert ((newest >= 0) & (newest < NEWEST)).any() == has_target


def test_a_planted_structure_is_learnt(weights, tmp_path):
    ranker = new(weights, tmp_path, Full(learning_rate=1e-2), "yes_no")
    ranker.fit(planted())
    report = ranker.training_report
    assert (report["users"], report["validation_users"], report["examples"]) == (24, 8, 24 * 4)
    assert min(report["validation"]) < 0.5 * report["validation"][0]
    assert share_in_order(ranker) == 1
    assert report["tokens"] > 0


def test_letters_learn_a_planted_structure_wherever_the_list_has_it(tmp_path):
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_attention_heads": 4, "initializer_range": 0.15}
    weights = str(causal_folder("llama", tmp_path / "llama", **sizes))
    titles = [f"{WORDS[2 + item % 2]} {WORDS[item // 2]}" for item in range(4)]  # users go from items 2, 3 to 0, 1
    items = np.random.default_rng(0).integers([2, 0], [4, 2], (128, 2)).ravel()
    data = TrainInteractions(np.arange(256) // 2, items, np.arange(256), 128, 4, np.zeros((4, 0), np.float32))
    texts = ItemTexts(lambda: titles, lambda: titles, tmp_path)
    sizes = ModelContext(8, torch.ones(128, dtype=torch.bool), torch.from_numpy(np.bincount(items)), texts=texts)
    training = PromptTraining(n_users=96, n_validation_users=16, max_epochs=12, patience=12, batch_tokens=400)
    options = {"top_n": 4, "score": "letters", "training": training}
    ranker = PromptRanker(sizes, CausalLM(weights), PROMPT, PopularityRanker, **options)
    ranker.train_with(Full(learning_rate=3e-3))
    ranker.fit(data)
    orders = torch.tensor([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
    history = UserBatch(torch.full((6,), -1), torch.tensor([[2]] * 6), torch.ones(6, 1, dtype=torch.bool))
    candidates = torch.tensor([[0, 1, 3]] * 6)
    scores = ranker.eval()._of_lists(history, candidates, torch.ones(6, 3, dtype=torch.bool), orders)
    assert (scores[:, :2] > scores[:, 2:]).double().mean() > 0.9


@pytest.mark.parametrize("method", [Lora(rank=2), LastN(learning_rate=1e-3), BitFit(), Full(learning_rate=1e-3)])
def test_only_what_the_mode_chooses_is_trained_and_saved(tmp_path_factory, tmp_path, method):
    folder = str(causal_folder("gpt2", tmp_path_factory.mktemp("gpt2")))
    ranker = new(folder, tmp_path, method, training=replace(TRAINING, max_epochs=1, n_users=4))
    ranker.fit(planted())
    names = [name for name in ranker.state_dict() if name.startswith("adapted.")]
    parts = {Lora: "lora_", LastN: "transformer.h.1.", BitFit: "bias", Full: ""}
    assert names
    assert all(parts[type(method)] in name for name in names)
    again = new(folder, tmp_path / "empty", type(method)(**({"rank": 2} if type(method) is Lora else {})))
    again.load_state_dict(ranker.state_dict())
    mask = torch.ones_like(ITEMS, dtype=torch.bool)
    found, expected = (one.eval()._scores(HISTORIES, ITEMS, mask) for one in (again, ranker))
    assert torch.equal(found, expected)


def test_training_that_was_killed_continues_and_gives_the_same(weights, tmp_path, monkeypatch):
    def fit(folder):
        ranker = new(weights, folder, Lora(rank=2, dropout=0.5))
        ranker.fit(planted())
        return ranker

    whole = fit(tmp_path / "whole")
    monkeypatch.setattr(label_training, "SECONDS_BETWEEN_SAVES", 0.0)
    steps, step = [], label_training.LabelTrainer._step

    def killed(self, batch):
        if len(steps) == 4:
            raise KeyboardInterrupt
        steps.append(batch)
        step(self, batch)

    monkeypatch.setattr(label_training.LabelTrainer, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "killed")
    monkeypatch.setattr(label_training.LabelTrainer, "_step", step)
    continued = fit(tmp_path / "killed")
    expected = whole.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in continued.state_dict().items())
    assert continued.training_report["steps"] == whole.training_report["steps"]
    monkeypatch.setattr(label_training.LabelTrainer, "_step", None)  # a training that has ended is not repeated
    again = fit(tmp_path / "killed")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in again.state_dict().items())


def test_another_version_of_results_trains_again(tmp_path, monkeypatch):
    examples = [label_training.LabelExamples(Tokens(torch.ones(1, 2), torch.tensor([2])), *torch.ones(2, 1, 2))]
    paths = [label_training.training_path(tmp_path, ["a model"], examples) for _ in range(2)]
    monkeypatch.setattr(schema, "RESULTS_VERSION", schema.RESULTS_VERSION + 1)
    paths.append(label_training.training_path(tmp_path, ["a model"], examples))
    assert paths[0] == paths[1] != paths[2]


def test_a_user_s_newest_items_are_targets_and_one_stays_in_the_history():
    users, items = np.array([1, 0, 0, 1, 0, 0, 2, 0]), np.arange(8)
    times = np.array([5, 9, 1, 4, 2, 8, 3, 7])
    data = TrainInteractions(users, items, times, 3, 8, np.zeros((8, 0), np.float32))
    targets = newest_of_users(data, 0.4)  # 2 of user 0's five, 1 of user 1's two, none of user 2's one
    assert set(items[targets].tolist()) == {1, 5, 0}


def test_candidates_come_from_a_retriever_that_knows_no_target(weights, tmp_path):
    fitted = []

    class Watched(PopularityRanker):
        def fit(self, train):
            fitted.append(train)
            super().fit(train)

    used, held = retrieved_targets(planted(), context(tmp_path), Watched, TRAINING, N_ITEMS)
    known, data = fitted[0], planted()
    assert known.items.min() >= NEWEST
    assert len(known.items) == 3 * N_USERS
    assert not set(used.users.idx.tolist()) & set(held.users.idx.tolist())
    for found in (used, held):
        for row, user in enumerate(found.users.idx.tolist()):
            own = data.items[data.users == user].tolist()
            assert found.users.history[row][found.users.history_mask[row]].tolist() == own[:3]
            assert found.items[row][found.is_target[row]].tolist() == own[3:]
            assert not set(found.items[row][found.mask[row]].tolist()) & set(own[:3])


def test_the_users_of_early_stopping_do_not_depend_on_the_seed(tmp_path):
    found = [
        retrieved_targets(replace(planted(), seed=seed), context(tmp_path), PopularityRanker, TRAINING, N_ITEMS)[1]
        for seed in (0, 1)
    ]
    assert torch.equal(found[0].users.idx, found[1].users.idx)


def test_lists_show_each_candidate_with_its_letter_and_targets_share_the_probability(weights, tmp_path):
    ranker = new(weights, tmp_path)
    history = UserBatch(torch.tensor([0]), torch.tensor([[8]]), torch.tensor([[True]]))
    table = torch.tensor([[0, 7, 1, 9]])
    found = RetrievedTargets(history, table, torch.tensor([[True, True, True, False]]), table < 2)
    examples = list_examples(found, ranker.list_tokens, 1, torch.tensor([[3.0, 2, 1, 0]]))
    read = ranker.language_model.tokenizer.decode(examples.tokens.ids[0][1:]).removesuffix(" ")  # it has no " A"
    assert read == f"- {TITLES[8]}\nwhich\nA. {TITLES[1]}\nB. {TITLES[7]}\nC. {TITLES[0]}\nAnswer:"
    assert examples.allowed[0].tolist() == [True] * 3 + [False] * 23
    assert examples.targets[0][:4].tolist() == [0.5, 0, 0.5, 0]


def test_the_loss_is_that_of_the_label_tokens_alone(weights, tmp_path):
    ranker = new(weights, tmp_path)
    ids = torch.tensor([[5, 9, 4, 0], [7, 8, 3, 6]])
    labels, allowed = torch.tensor([11, 12, 13]), torch.tensor([[True, True, False], [True, True, True]])
    targets = torch.tensor([[0.5, 0.5, 0], [0, 0, 1]])
    assert ranker.tokens
    model = ranker.language_model.model
    found = label_loss(label_logits(model, Tokens(ids, torch.tensor([3, 4])), labels), allowed, targets)
    first, second = (model(ids[row : row + 1, :n]).logits[0, -1].detach() for row, n in ((0, 3), (1, 4)))
    expected = [
        first[[11, 12]].exp().sum().log() - (first[11] + first[12]) / 2,
        second[[11, 12, 13]].exp().sum().log() - second[13],
    ]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-5, rtol=0)


def test_pairs_are_a_target_and_other_candidates(weights, tmp_path):
    ranker = new(weights, tmp_path, score="yes_no")
    used, _ = retrieved_targets(planted(), context(tmp_path), PopularityRanker, TRAINING, N_ITEMS)
    examples = pair_examples(used, ranker.tokens, 1, ranker.examples, 2, torch.rand(used.items.shape))
    answers = examples.targets[:, 0].tolist()
    assert answers == [1.0, 0.0, 0.0] * len(used)
    decode = ranker.language_model.tokenizer.decode
    words = [
        decode(ids[:n]).rsplit(" ", 1)[1] for ids, n in zip(examples.tokens.ids, examples.tokens.lengths, strict=True)
    ]
    owner, target = used.is_target.nonzero(as_tuple=True)
    assert words[::3] == [TITLES[item].split()[1] for item in used.items[owner, target].tolist()]


def test_the_position_in_the_list_is_measured(weights, tmp_path):
    report = new(weights, tmp_path).measure(replace(user_side(), batch=HISTORIES), None)
    assert {"position_in_the_list", "scores_with_the_list_reversed"} <= set(report["rank_correlation"])


def test_biases_on_impressions_are_those_of_the_candidates_that_have_letters(weights, tmp_path):
    ranker = new(weights, tmp_path, top_n=5)
    users, shown = replace(user_side(), batch=HISTORIES), torch.arange(30).remainder(N_ITEMS).expand(3, -1)
    expected = ranker.measure(users, None)
    assert expected["candidates_mean"] <= 5
    assert str(ranker.measure(users, shown)) == str(expected)


class TestLetters(RankerContract):
    @pytest.fixture
    def ranker(self, weights, tmp_path):
        titles = [f"{WORDS[item % 7]} {WORDS[item % 5]}" for item in range(30)]
        sizes = replace(contract_context(), texts=ItemTexts(lambda: titles, lambda: titles, tmp_path))
        made = PromptRanker(sizes, CausalLM(weights), PROMPT, PopularityRanker, top_n=5, score="letters")
        made.fit(train())
        return made.eval()

    def test_scores_are_log_probabilities_of_the_candidates(self, ranker):
        scores = ranker.score_catalogue(user_side(), catalogue())[:3]
        totals = scores.masked_fill(scores < FLOOR, -torch.inf).exp().sum(dim=1)
        torch.testing.assert_close(totals, torch.ones(3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda *args: new(*args, score="likelihood", method=Full()), "finetune trains on label tokens"),
        (lambda *args: new(*args, top_n=27), r"ranker\.top_n of at most 26"),
        (lambda *args: new(*args, method=Delta()).fit(planted()), "finetune=delta trains no layers"),
        (
            lambda *args: new(*args, method=LastN(9)).fit(planted()),
            "n_layers is 9, but the language model has 2",
        ),
        (lambda *args: new(*args, method=BitFit()).fit(planted()), "has none"),
        (lambda *args: PromptTraining(n_users=0), r"ranker\.training\.n_users"),
    ],
)
def test_impossible_values_are_refused(weights, tmp_path, make, message):
    with pytest.raises(ConfigError, match=message):
        make(weights, tmp_path)
