from __future__ import annotations

import pytest
from encoders.embedding_server import Fault, serving

from recsys.language_models.chat_endpoint import ChatGenerator
from recsys.language_models.checked_answers import answer_all, answer_store
from recsys.language_models.http_endpoint import EndpointError
from recsys.language_models.token_budget import BudgetError, TokenBudget
from recsys.schema import ConfigError

PROMPTS = [f"prompt {letter}" for letter in "abcdef"]
QUICK = {"first_wait": 0.01, "max_attempts": 3, "timeout": 2.0}


@pytest.fixture
def server():
    with serving() as made:
        yield made


def ask(server, folder=None, prompts=PROMPTS, check=str, budget=None, **settings):
    generator = ChatGenerator(server.url, "stub", **{**QUICK, **settings})
    store = answer_store(generator, folder)
    try:
        return answer_all(generator, prompts, check, store, budget or TokenBudget(), max_attempts=2)
    finally:
        store.close()


def test_prompts_are_answered_and_tokens_counted(server):
    made = ask(server, max_new_tokens=7, parameters={"top_p": 0.5})
    assert made.checked == {prompt: f"{prompt}!" for prompt in PROMPTS}
    assert (made.n_calls, made.prompt_tokens, made.completion_tokens) == (6, 12, 6)
    sent = server.requests[0]
    assert (sent["model"], sent["max_tokens"], sent["temperature"], sent["top_p"]) == ("stub", 7, 0.0, 0.5)
    assert sent["authorization"] is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(429, {"Retry-After": "0.01"}),
        Fault(change=lambda answer: b"no json"),
        Fault(change=lambda answer: {**answer, "choices": []}),
        Fault(change=lambda answer: {**answer, "choices": [{"message": {"content": 3}}]}),
    ],
)
def test_requests_that_fail_are_repeated(server, fault):
    server.faults = [fault]
    assert len(ask(server, n_concurrent=1).checked) == 6
    assert len(server.requests) == 7


def test_a_server_that_refuses_ends_it_and_what_is_paid_is_kept(server, tmp_path):
    server.faults = [None, None, Fault(401, said="wrong key")]
    with pytest.raises(EndpointError, match=r"refuses a prompt: status 401: wrong key.*language_model"):
        ask(server, tmp_path, n_concurrent=1)
    before = sum(server.texts.values())
    assert before >= 2
    assert ask(server, tmp_path).n_new_calls == 6 - before
    assert set(server.texts.values()) == {1}


def test_a_budget_is_not_exceeded_by_concurrent_requests(server, tmp_path):
    one = ChatGenerator(server.url, "stub", max_new_tokens=10).count_tokens(PROMPTS[:1]) + 10
    with pytest.raises(BudgetError, match="max_tokens"):
        ask(server, tmp_path, budget=TokenBudget(max_tokens=2 * one - 1), max_new_tokens=10)
    paid = sum(server.texts.values())
    assert 1 <= paid < 6
    assert ask(server, tmp_path, max_new_tokens=10).n_new_calls == 6 - paid


@pytest.mark.parametrize(
    ("parameters", "n_tokens"),
    [
        ({"max_tokens": 50}, 50),
        ({"max_tokens": None, "max_completion_tokens": 40}, 40),
        ({"max_tokens": None}, 10),
        ({"n": 3}, 30),
    ],
)
def test_a_budget_reserves_the_answer_that_the_parameters_allow(server, parameters, n_tokens):
    least = ChatGenerator(server.url, "stub").count_tokens(PROMPTS[:1]) + n_tokens
    settings = {"prompts": PROMPTS[:1], "max_new_tokens": 10, "parameters": parameters}
    with pytest.raises(BudgetError, match="max_tokens"):
        ask(server, budget=TokenBudget(max_tokens=least - 1), **settings)
    assert ask(server, budget=TokenBudget(max_tokens=least), **settings).n_calls == 1


def test_costs_are_those_of_the_tokens_that_the_server_counted(server):
    budget = TokenBudget(None, 1.0, 100.0, 1000.0)
    ask(server, budget=budget)
    assert budget.cost == pytest.approx((12 * 100 + 6 * 1000) / 1e6)


def test_tokens_that_a_server_does_not_count_are_estimated(server):
    server.faults = [Fault(change=lambda answer: {**answer, "usage": None})]
    assert ask(server, prompts=["four"], max_new_tokens=5).completion_tokens == 5


def test_a_refused_answer_is_asked_again_with_another_seed(server):
    ask(server, prompts=["a"], check=lambda answer: None, seed=3)
    assert [(sent["seed"], sent["temperature"]) for sent in server.requests] == [(3, 0.0), (4, 0.7)]


def test_the_key_is_read_from_the_environment_alone(server, monkeypatch):
    with pytest.raises(ConfigError, match=r"language_model\.api_key_variable is STUB_KEY"):
        ask(server, api_key_variable="STUB_KEY")
    monkeypatch.setenv("STUB_KEY", "secret-1")
    server.faults = [Fault(400, said="no secret-1 here")]
    with pytest.raises(EndpointError) as raised:
        ask(server, prompts=["a"], api_key_variable="STUB_KEY")
    assert "secret-1" not in str(raised.value)
    assert server.requests[-1]["authorization"] == "Bearer secret-1"


@pytest.mark.parametrize("wrong", [{"n_concurrent": 0}, {"timeout": -1}, {"max_new_tokens": 0}, {"url": "ftp://a"}])
def test_impossible_values_are_errors(wrong):
    with pytest.raises(ConfigError, match=rf"language_model\.{next(iter(wrong))}"):
        ChatGenerator(**{"url": "http://localhost:1/v1", "model": "stub", **wrong})
