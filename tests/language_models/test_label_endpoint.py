"""Log-probabilities of label tokens from a server that answers as OpenAI's does, and fails as servers do."""

from __future__ import annotations

import math

import pytest
import torch
from encoders.embedding_server import Fault, serving

from recsys.language_models.http_endpoint import EndpointError
from recsys.language_models.label_endpoint import CHAT, COMPLETIONS, LabelEndpoint, label_scores
from recsys.language_models.token_budget import BudgetError, TokenBudget
from recsys.schema import ConfigError

PROMPTS = ["first", "second", "first"]


@pytest.fixture
def server():
    with serving() as made:
        yield made


def new(server, folder=None, **settings) -> LabelEndpoint:
    made = LabelEndpoint(server.url, "stub", **{"first_wait": 0.01, "max_attempts": 2, "timeout": 5.0, **settings})
    if folder is not None:
        made.open(folder)
    return made


@pytest.mark.parametrize("api", [CHAT, COMPLETIONS])
def test_labels_have_the_log_probabilities_of_the_server(server, api):
    asked = new(server, api=api, parameters={"logit_bias": {}})
    found = asked.log_probabilities(PROMPTS, ["A", "B", "C"])
    torch.testing.assert_close(found, torch.tensor([[-0.5, -1.5, -3.0 - 1.0]] * 3))
    sent = server.requests[0]
    assert (sent["max_tokens"], sent["temperature"], sent["logit_bias"]) == (1, 0.0, {})
    assert (sent["top_logprobs"] if api == CHAT else sent["logprobs"]) == 20
    assert sum(server.texts.values()) == 2  # equal prompts are sent once
    counts = {"calls": 2, "prompt_tokens": 2, "completion_tokens": 2}
    assert asked.spent() == {**counts, **{f"new_{name}": value for name, value in counts.items()}}


def test_completions_are_read_as_llama_cpp_lists_them(server):
    listed = [{"token": " A", "logprob": -0.25}, {"token": "B", "logprob": -2.0}]
    choice = {"text": " A", "logprobs": {"content": [{"token": " A", "logprob": -0.25, "top_logprobs": listed}]}}
    server.faults = [Fault(change=lambda answer: {"choices": [choice]})]
    found = new(server, api=COMPLETIONS).log_probabilities(["first"], ["A", "B"])
    torch.testing.assert_close(found, torch.tensor([[-0.25, -2.0]]))


def test_spellings_of_a_label_are_added_and_letters_keep_their_case():
    listed = [(" Yes", math.log(0.25)), ("yes.", math.log(0.5)), ("a", -5.0), ("A", -6.0), ("\u2581B", -1.0)]
    found = label_scores(listed, ["yes", "A", "B", "no"])
    assert found == pytest.approx([math.log(3 / 4), -6.0, -1.0, -7.0])


def test_answers_are_paid_once(server, tmp_path):
    first = new(server, tmp_path).log_probabilities(PROMPTS, ["A", "B"])
    again = new(server, tmp_path)
    assert torch.equal(again.log_probabilities(PROMPTS, ["A", "B"]), first)
    assert sum(server.texts.values()) == 2
    assert (again.answers.n_calls, again.answers.n_new_calls) == (2, 0)


def test_prompts_of_earlier_batches_are_counted_once(server, tmp_path):
    n = new(server).count_tokens(["third"]) + 1
    asked = new(server, tmp_path, budget=TokenBudget(2 * 2 + n, None, 100.0, 1000.0), n_concurrent=1)
    first = asked.log_probabilities(PROMPTS, ["A", "B"])
    for _ in range(9):
        assert torch.equal(asked.log_probabilities(PROMPTS, ["A", "B"]), first)
    assert torch.equal(asked.log_probabilities(["third", *PROMPTS], ["A", "B"])[1:], first)
    counts = {"calls": 3, "prompt_tokens": 3, "completion_tokens": 3, "cost": pytest.approx((300 + 3000) / 1e6)}
    assert asked.spent() == {**counts, **{f"new_{name}": value for name, value in counts.items()}}


def test_a_budget_ends_it_and_what_is_paid_is_kept(server, tmp_path):
    small = new(server).count_tokens(["first"]) + 1
    with pytest.raises(BudgetError, match="max_tokens"):
        new(server, tmp_path, budget=TokenBudget(small), n_concurrent=1).log_probabilities(PROMPTS, ["A"])
    assert sum(server.texts.values()) == 1
    budget = TokenBudget(None, 1.0, 100.0, 1000.0)
    made = new(server, tmp_path, budget=budget)
    made.log_probabilities(PROMPTS, ["A"])
    assert made.answers.n_new_calls == 1
    spent = made.spent()
    assert spent["cost"] == pytest.approx((2 * 100 + 2 * 1000) / 1e6)
    assert (spent["calls"], spent["new_calls"], spent["new_prompt_tokens"]) == (2, 1, 1)
    assert spent["new_cost"] == budget.cost == pytest.approx((100 + 1000) / 1e6)  # the other answer was in the cache
    new(server, tmp_path, budget=TokenBudget(max_tokens=0)).log_probabilities(PROMPTS, ["A"])  # both are


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(change=lambda answer: b"no json"),
        Fault(change=lambda answer: {"choices": [{"logprobs": {"content": []}}]}),
        Fault(change=lambda answer: {"choices": [{"logprobs": {"content": [{"top_logprobs": []}]}}]}),
    ],
)
def test_requests_that_fail_are_repeated(server, fault):
    server.faults = [fault]
    assert new(server, n_concurrent=1).log_probabilities(PROMPTS, ["A"]).shape == (3, 1)
    assert len(server.requests) == 3


def test_a_server_without_log_probabilities_ends_it(server):
    server.faults = [Fault(change=lambda answer: {"choices": [{"message": {"content": "A"}, "logprobs": None}]})]
    with pytest.raises(EndpointError, match="gives no log-probabilities"):
        new(server).log_probabilities(PROMPTS[:1], ["A"])
    assert len(server.requests) == 1


def test_no_prompts_no_requests(server):
    assert new(server).log_probabilities([], ["A", "B"]).shape == (0, 2)


def test_what_scores_depend_on_is_in_the_identity(server):
    made = [new(server), new(server, api=COMPLETIONS), new(server, top_logprobs=5), new(server, revision="2")]
    assert len({str(sorted(each.identity().items(), key=str)) for each in made}) == 4
    assert new(server, n_concurrent=1).identity() == made[0].identity()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"api": "embeddings"}, "expected chat or completions"), ({"top_logprobs": 1}, r"language_model\.top_logprobs")],
)
def test_impossible_values_are_errors(server, settings, message):
    with pytest.raises(ConfigError, match=message):
        new(server, **settings)
