from __future__ import annotations

import json
import threading

import pytest

from recsys.language_models.answer_store import ModelAnswer
from recsys.language_models.checked_answers import answer_all, answer_store
from recsys.language_models.structured import check_schema, object_in
from recsys.language_models.token_budget import BudgetError, TokenBudget
from recsys.schema import ConfigError


class Counted:
    """A model that answers as it is told, and counts its calls.

    Args:
        answer: From prompt and attempt.
        dies_after: Calls until it is killed.
    """

    name = "counted"

    def __init__(self, answer=lambda prompt, attempt: f"{prompt}!", dies_after=None):
        self.answer, self.dies_after, self.n_calls, self.asked = answer, dies_after, 0, []

    def identity(self):
        return {"generator": "counted"}

    def generate(self, prompts, attempt, keep, budget):
        for row, prompt in enumerate(prompts):
            if self.n_calls == self.dies_after:
                raise KeyboardInterrupt
            budget.reserve(2, 3)
            self.n_calls += 1
            self.asked.append(prompt)
            budget.settle((2, 3), (2, 1))
            keep([row], [ModelAnswer(self.answer(prompt, attempt), 2, 1)])


def ask(generator, prompts, folder=None, check=str, budget=None, **settings):
    store = answer_store(generator, folder)
    try:
        return answer_all(generator, prompts, check, store, budget or TokenBudget(), **settings)
    finally:
        store.close()


def test_equal_prompts_are_asked_once():
    made = ask(generator := Counted(), ["a", "b", "a"])
    assert made.checked == {"a": "a!", "b": "b!"}
    assert generator.asked == ["a", "b"]
    assert (made.n_calls, made.prompt_tokens, made.completion_tokens) == (2, 4, 2)


def test_a_killed_command_repeats_no_call(tmp_path):
    killed = Counted(dies_after=3)
    with pytest.raises(KeyboardInterrupt):
        ask(killed, list("abcde"), tmp_path)
    again = Counted()
    made = ask(again, list("abcde"), tmp_path)
    assert again.asked == ["d", "e"]
    assert made.checked == {letter: f"{letter}!" for letter in "abcde"}
    assert (made.n_calls, made.n_new_calls, made.prompt_tokens) == (5, 2, 10)


def test_refused_answers_are_asked_again_and_counted(tmp_path):
    generator = Counted(lambda prompt, attempt: "good" if attempt == 1 and prompt == "a" else "bad")
    check = {"good": "good"}.get
    made = ask(generator, ["a", "b"], tmp_path, check, max_attempts=3)
    assert made.checked == {"a": "good"}
    assert generator.asked == ["a", "b", "a", "b", "b"]
    assert made.n_calls == 5
    assert ask(again := Counted(), ["a", "b"], tmp_path, check, max_attempts=3).n_calls == 5
    assert again.asked == []


def test_a_budget_stops_and_keeps_what_is_paid(tmp_path):
    with pytest.raises(BudgetError, match=r"max_tokens=8; 6 tokens are spent"):
        ask(Counted(), list("abcde"), tmp_path, budget=TokenBudget(max_tokens=8))
    with pytest.raises(BudgetError):  # answers in the cache cost nothing
        ask(same := Counted(), list("abcde"), tmp_path, budget=TokenBudget(max_tokens=8))
    assert same.asked == ["c", "d"]
    ask(more := Counted(), list("abcde"), tmp_path, budget=TokenBudget(max_tokens=5))
    assert more.asked == ["e"]
    made = ask(Counted(), list("abcde"), tmp_path, budget=(nothing := TokenBudget(max_tokens=0)))
    assert (made.n_calls, made.n_new_calls, made.prompt_tokens) == (5, 0, 10)
    assert (nothing.prompt_tokens, nothing.completion_tokens) == (0, 0)


def test_costs_by_hand():
    budget = TokenBudget(None, 1.0, 2e6, 4e6)
    budget.spend(1, 0)
    assert budget.cost == 2.0
    with pytest.raises(BudgetError, match=r"max_cost=1"):
        budget.reserve(0, 0)
    budget = TokenBudget(10, None)
    budget.reserve(4, 4)
    with pytest.raises(BudgetError):  # what others have reserved counts
        budget.reserve(2, 1)
    budget.settle((4, 4), None)
    budget.reserve(2, 1)


def test_no_call_is_reserved_between_the_end_of_a_reservation_and_its_count():
    budget, refused = TokenBudget(max_tokens=10), []
    budget.reserve(5, 5)

    class Lock:
        """Each time that it is released, another thread is first to reserve tokens."""

        def __enter__(self):
            budget._lock = threading.Lock()

        def __exit__(self, *raised):
            with pytest.raises(BudgetError):
                budget.reserve(1, 0)
            refused.append(1)
            budget._lock = self

    budget._lock = Lock()
    budget.settle((5, 5), (5, 5))
    assert refused
    assert (budget.prompt_tokens, budget.completion_tokens) == (5, 5)


@pytest.mark.parametrize("wrong", [{"max_tokens": -1}, {"max_cost": 1.0}, {"max_tokens": float("nan")}])
def test_impossible_budgets_are_errors(wrong):
    with pytest.raises(ConfigError, match="budget"):
        TokenBudget(**wrong)


SCHEMA = {
    "type": "object",
    "properties": {"likes": {"type": "array", "items": {"type": "string"}}, "mood": {"enum": ["calm", "tense"]}},
    "required": ["likes"],
}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"likes": ["jazz"]}, True),
        ({"likes": ["jazz"], "mood": "calm"}, True),
        ({"likes": "jazz"}, False),
        ({"likes": [1]}, False),
        ({"mood": "calm"}, False),
        ({"likes": [], "mood": "blue"}, False),
    ],
)
def test_objects_by_a_schema(answer, found):
    written = f"```json\n{json.dumps(answer)}\n```"
    assert object_in(written, SCHEMA) == (answer if found else None)


@pytest.mark.parametrize("answer", ["", "no object", "{", '{"likes": ["ja', "{" * 100_000])
def test_broken_answers_have_no_object(answer):
    assert object_in(answer, SCHEMA) is None


@pytest.mark.parametrize("wrong", [{"type": "array"}, {"type": "objekt", "properties": {"a": {}}}, {"type": "object"}])
def test_malformed_schemas_are_errors(wrong):
    with pytest.raises(ConfigError, match=r"prompt\.json_schema"):
        check_schema(wrong, "prompt.json_schema")
