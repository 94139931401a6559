"""A prompt ranker whose language model is at a server: the prompts are those of a model on this machine, as texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from encoders.embedding_server import serving
from encoders.tiny_models import WORDS, causal_folder

from recsys.finetuning.full import Full
from recsys.language_models.causal import CausalLM
from recsys.language_models.label_endpoint import LabelEndpoint
from recsys.rankers.list_prompts import ListTokens
from recsys.rankers.popularity import PopularityRanker
from recsys.rankers.prompt import PromptRanker
from recsys.rankers.prompts import Prompt, PromptTokens
from recsys.rankers.text_prompts import TextPrompts
from recsys.schema import ConfigError, ItemTexts, UserBatch
from recsys.testing.ranker_contract import N_ITEMS, RankerContract, catalogue, context, train, user_side

TITLES = [f"{WORDS[item % 7]} {WORDS[item % 5]}" for item in range(N_ITEMS)]
PROMPT = Prompt("films", "is{text} next", n_history=2, n_examples=1, list_question="which")
HISTORY, ITEMS = torch.tensor([[-1, 4], [7, 8]]), torch.tensor([[0, 1, 2], [9, 3, 5]])


@pytest.fixture(scope="module")
def server():
    with serving() as made:
        made.labels = lambda prompt: {letter: -float(len(prompt) % (place + 2)) for place, letter in enumerate("ABCDE")}
        yield made


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> CausalLM:
    folder = causal_folder("llama", tmp_path_factory.mktemp("llama"))
    made = CausalLM(str(folder))
    made.open(folder)
    return made


def texts(folder) -> ItemTexts:
    return ItemTexts(lambda: TITLES, lambda: TITLES, folder)


def new(server, folder, **options) -> PromptRanker:
    return PromptRanker(
        replace(context(), texts=texts(folder)),
        LabelEndpoint(server.url, "stub"),
        PROMPT,
        PopularityRanker,
        top_n=5,
        **options,
    )


def decoded(model: CausalLM, tokens) -> list[str]:
    rows = zip(tokens.ids.tolist(), tokens.lengths.tolist(), strict=True)
    return [model.tokenizer.decode(ids[1:n]) for ids, n in rows]  # without the token of the beginning


def test_lists_are_those_of_a_model_on_this_machine(local, tmp_path):
    mask = torch.tensor([[True, True, True], [True, True, False]])
    expected = ListTokens(PROMPT, texts(tmp_path), local).prompts(HISTORY, ITEMS, mask)
    shown = [text.removesuffix(" ") for text in decoded(local, expected)]  # its tokenizer has no " A"
    assert TextPrompts(PROMPT, texts(tmp_path)).lists(HISTORY, ITEMS, mask) == shown


def test_questions_are_those_of_a_model_on_this_machine(local, tmp_path):
    tokens, owners, items = (
        PromptTokens(PROMPT, texts(tmp_path), local, True),
        torch.tensor([1, 0]),
        torch.tensor([3, 6]),
    )
    examples = torch.tensor([[5, 6, 2]])
    expected = tokens.prefixes(HISTORY, examples)[owners].followed_by(tokens.continuations(items))
    assert TextPrompts(PROMPT, texts(tmp_path)).questions(HISTORY, examples, owners, items) == decoded(local, expected)


def test_long_texts_are_cut(tmp_path):
    prompt = Prompt("", "{text}", max_item_tokens=1)
    assert TextPrompts(prompt, texts(tmp_path)).names == [title[:4] for title in TITLES]


@pytest.mark.parametrize("score", ["letters", "yes_no"])
def test_the_server_s_preference_is_the_order(server, tmp_path, score, monkeypatch):
    def likes(prompt: str) -> dict[str, float]:
        """The letter, or the answer, for the candidate that is item 3."""
        lines = [line for line in prompt.splitlines() if line.endswith(f" {TITLES[3]}") and line[1:2] == "."]
        chosen = lines[0][0] if lines else "yes" if prompt.endswith(f"is {TITLES[3]} next") else "no"
        return {chosen: -0.1, "yes" if chosen == "no" else "no": -3.0}

    monkeypatch.setattr(server, "labels", likes)
    ranker = new(server, tmp_path, score=score, calibrate=False)
    ranker.fit(train())
    ranker.examples.fill_(-1)
    batch = UserBatch(torch.tensor([0]), torch.tensor([[8]]), torch.tensor([[True]]))
    scores = ranker._scores(batch, torch.tensor([[2, 3, 4]]), torch.ones(1, 3, dtype=torch.bool))
    assert scores.argmax().item() == 1


class TestLettersOfAServer(RankerContract):
    @pytest.fixture
    def ranker(self, server, tmp_path):
        made = new(server, tmp_path, score="letters")
        made.fit(train())
        return made.eval()

    def test_its_calls_are_counted_beside_those_of_an_earlier_model(self, ranker):
        earlier = {"calls": 100, "prompt_tokens": 200, "completion_tokens": 300}
        ranker.charge({**earlier, **{f"new_{name}": value for name, value in earlier.items()}})
        ranker.score_catalogue(user_side(), catalogue())
        assert ranker.measure(user_side(), None)["language_model"]["name"] == "stub"
        spent, budget = ranker.spent(), ranker.language_model.budget
        assert spent["calls"] > 100
        assert (spent["prompt_tokens"], spent["completion_tokens"]) == (budget.prompt_tokens, budget.completion_tokens)
        assert spent["completion_tokens"] == 300 + spent["calls"] - 100


def test_neither_likelihoods_nor_training(server, tmp_path):
    with pytest.raises(ConfigError, match="needs weights on this machine"):
        new(server, tmp_path, score="likelihood")
    with pytest.raises(ConfigError, match="is a server"):
        new(server, tmp_path, score="letters").train_with(Full())
