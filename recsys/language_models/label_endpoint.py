"""Log-probabilities of label tokens, such as letters or yes and no, from any OpenAI-compatible server."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from recsys.language_models.answer_store import AnswerStore, ModelAnswer
from recsys.language_models.chat_endpoint import ChatGenerator, ChatServer, Question, read_body, tokens_of
from recsys.language_models.checked_answers import Answers, answer_all, answer_store
from recsys.language_models.http_endpoint import BadAnswer, EndpointError
from recsys.language_models.keyed_store import key_of
from recsys.language_models.token_budget import TokenBudget
from recsys.schema import ConfigError
from recsys.support.mapping_checks import mapping_of
from recsys.support.number_checks import check_whole

CHAT, COMPLETIONS = "chat", "completions"
AROUND = " \t\n▁Ġ.:()[]*\"'"  # characters around a token that are ignored when it is compared with a label
MISSING = 1.0  # how far a label that the server does not list is below the least probable token of its list
MOST = 20  # largest number of log-probabilities that OpenAI gives


class _ChatLabels(ChatServer):
    """The most probable first tokens of an answer to a message."""

    group: ClassVar[str] = "ranker.language_model"
    gives: ClassVar[str] = "log-probabilities"
    keys: ClassVar[str] = (
        "ranker.language_model.url, model, api and top_logprobs: the server may give fewer log-probabilities, or none"
    )

    def read(self, content: bytes, request: Question) -> ModelAnswer:
        return _answer(content, _of_chat, self.url)


class _CompletionLabels(_ChatLabels):
    """The most probable next tokens after a text."""

    path: ClassVar[str] = "completions"

    def body(self, request: Question) -> bytes:
        return json.dumps({"model": self.model, "prompt": request.prompt, **(self.parameters or {})}).encode()

    def read(self, content: bytes, request: Question) -> ModelAnswer:
        return _answer(content, _of_completion, self.url)


class LabelEndpoint(ChatGenerator):
    """Asks a server for one token after each prompt, with the log-probabilities of the most probable ones.

    Answers are kept on disk by server, model, parameters and prompt, so that no request is paid twice.

    Args:
        url: URL of the server with the version, as in http://localhost:8000/v1.
        model: Name of the model at the server.
        revision: Version of the server's weights, for the identity only.
        api: "chat" sends the prompt as a message, "completions" as a text to be continued.
        top_logprobs: Number of requested log-probabilities; OpenAI gives 20 at most.
        parameters: Further parameters of each request, sent unchanged.
        budget: Budget of a run's new calls; answers in the cache cost nothing. None for no limit.
        n_concurrent: Number of requests at the same time.
        requests_per_minute: Largest number of requests per minute; None for no limit.
        timeout: Seconds of silence after which a request is repeated.
        max_attempts: Number of attempts of a request.
        first_wait: Seconds before the second attempt; doubled before each further one.
        max_wait: Largest number of seconds before an attempt; a longer Retry-After ends the run.
        api_key_variable: The environment variable that holds the key; None sends no key.

    Raises:
        ConfigError: If a value is impossible.
    """

    group = "ranker.language_model"

    def __init__(
        self,
        url: str,
        model: str,
        revision: str | None = None,
        api: str = CHAT,
        top_logprobs: int = MOST,
        parameters: Any = None,
        budget: TokenBudget | None = None,
        n_concurrent: int = 8,
        requests_per_minute: float | None = None,
        timeout: float = 120.0,
        max_attempts: int = 6,
        first_wait: float = 0.5,
        max_wait: float = 60.0,
        api_key_variable: str | None = None,
    ) -> None:
        if api not in (CHAT, COMPLETIONS):
            raise ConfigError(f"{self.group}.api is {api!r}; expected {CHAT} or {COMPLETIONS}.")
        check_whole(f"{self.group}.top_logprobs", top_logprobs, 2)
        self.server_class = _ChatLabels if api == CHAT else _CompletionLabels
        asked = {"logprobs": True, "top_logprobs": top_logprobs} if api == CHAT else {"logprobs": top_logprobs}
        further = mapping_of(f"{self.group}.parameters", parameters, "{top_p: 1.0}")
        super().__init__(
            url, model, revision, 1, 0.0, None, {**asked, **further}, n_concurrent, requests_per_minute,
            timeout, max_attempts, first_wait, max_wait, api_key_variable,
        )  # fmt: skip
        self.api, self.budget, self.answers = api, budget or TokenBudget(), Answers()
        self._store: AnswerStore | None = None
        self._counted: set[bytes] = set()  # hashes of the prompts whose answers are counted

    def identity(self) -> dict[str, Any]:
        """Everything that scores depend on, except the prompt, as far as a client knows it."""
        return {**super().identity(), "generator": "labels", "api": self.api}

    def open(self, cache_dir: Path) -> None:
        """Open the store of answers, once."""
        if self._store is None:
            self._store = answer_store(self, cache_dir)

    def log_probabilities(self, prompts: Sequence[str], labels: Sequence[str]) -> Tensor:
        """Log-probabilities (n, L) of the labels as the first token after each prompt.

        Tokens that differ from a label in white space, punctuation around them or, for labels of more than one
        character, case count as the label. A label that is not in the server's list is `MISSING` below the end of it.

        Args:
            prompts: (n).
            labels: (L).

        Raises:
            EndpointError: If the server refuses, fails too often, or gives no log-probabilities.
            BudgetError: If the next request could exceed the budget; the answers so far are kept.
        """
        if self._store is None:
            self._store = answer_store(self, None)
        keys = {prompt: key_of(prompt) for prompt in prompts}
        # A prompt of an earlier batch, such as that of a user whose biases are measured, was one call.
        counted = [prompt for prompt, key in keys.items() if key in self._counted]
        others = [prompt for prompt, key in keys.items() if key not in self._counted]
        made = answer_all(self, others, json.loads, self._store, self.budget, max_attempts=1)
        self._counted.update(keys.values())
        for count in ("n_calls", "n_new_calls", "prompt_tokens", "completion_tokens"):
            setattr(self.answers, count, getattr(self.answers, count) + getattr(made, count))
        earlier = {prompt: json.loads(answer.text) for prompt, answer in self._store.find(counted, 0).items()}
        found = {prompt: label_scores(listed, labels) for prompt, listed in (made.checked | earlier).items()}
        return torch.tensor([found[prompt] for prompt in prompts]).reshape(len(prompts), len(labels))

    def spent(self) -> dict[str, Any]:
        """Calls and tokens of all prompts so far, each once, and their cost where prices are known.

        Answers in the cache count, too; values of new calls alone begin with "new_".
        """
        made, budget = self.answers, self.budget
        tokens = {"prompt_tokens": made.prompt_tokens, "completion_tokens": made.completion_tokens}
        known = {"calls": made.n_calls, **tokens, "cost": budget.cost_of(**tokens)}
        known |= {"new_calls": made.n_new_calls, "new_cost": budget.cost}
        known |= {f"new_{name}": getattr(budget, name) for name in tokens}
        return {name: value for name, value in known.items() if value is not None}

    def charge(self, earlier: Mapping[str, Any]) -> None:
        """Add what `spent` returned for another model of the same run; its new calls count in the budget."""
        self.answers.n_calls += earlier.get("calls", 0)
        self.answers.n_new_calls += earlier.get("new_calls", 0)
        self.answers.prompt_tokens += earlier.get("prompt_tokens", 0)
        self.answers.completion_tokens += earlier.get("completion_tokens", 0)
        self.budget.spend(earlier.get("new_prompt_tokens", 0), earlier.get("new_completion_tokens", 0))


def label_scores(listed: Sequence[tuple[str, float]], labels: Sequence[str]) -> list[float]:
    """The log-probability of each label, from a list of tokens and log-probabilities.

    Example:
        >>> label_scores([(" Yes", math.log(0.5)), ("yes", math.log(0.25)), ("maybe", -3.0)], ["yes", "no"])
        [-0.2876820724517809, -4.0]
    """
    probabilities: dict[str, float] = {}
    for token, value in listed:
        name = _name(token)
        probabilities[name] = probabilities.get(name, 0.0) + math.exp(value)
    missing = min((value for _, value in listed), default=0.0) - MISSING
    found = [probabilities.get(_name(label), 0.0) for label in labels]
    return [math.log(value) if value > 0 else missing for value in found]


def _name(token: str) -> str:
    name = token.strip(AROUND)
    return name if len(name) == 1 else name.lower()


def _answer(content: bytes, read: Any, url: str) -> ModelAnswer:
    """The listed tokens as a text of JSON."""
    body = read_body(content)
    try:
        choice = body["choices"][0]
        if choice.get("logprobs") is None:
            raise EndpointError(
                f"{url} gives no log-probabilities: expected `logprobs` in its answer. Choose another server, model or "
                "ranker.language_model.api."
            )
        listed = [(str(token), float(value)) for token, value in read(choice["logprobs"])]
        usage = body.get("usage")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadAnswer(f"it is malformed ({type(error).__name__})") from error
    if not listed or not all(math.isfinite(value) for _, value in listed):
        raise BadAnswer("it lists no log-probabilities")
    return ModelAnswer(json.dumps(listed), tokens_of(usage, "prompt_tokens"), tokens_of(usage, "completion_tokens"))


def _of_chat(logprobs: Any) -> list[tuple[Any, Any]]:
    return [(each["token"], each["logprob"]) for each in logprobs["content"][0]["top_logprobs"]]


def _of_completion(logprobs: Any) -> list[tuple[Any, Any]]:
    if "content" in logprobs:  # as llama.cpp answers
        return _of_chat(logprobs)
    return list(logprobs["top_logprobs"][0].items())
