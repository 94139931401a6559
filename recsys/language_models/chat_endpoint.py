"""Texts that a model of any OpenAI-compatible server writes: OpenAI, vLLM, Ollama, llama.cpp, TGI."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from recsys.language_models.answer_store import ModelAnswer, spent
from recsys.language_models.checked_answers import Keep
from recsys.language_models.concurrent_requests import ask_all
from recsys.language_models.http_endpoint import BadAnswer, HttpEndpoint
from recsys.language_models.pace import Backoff, Pace
from recsys.language_models.token_budget import TokenBudget
from recsys.support.mapping_checks import mapping_of
from recsys.support.number_checks import check_number, check_whole

_BYTES_PER_TOKEN = 2  # at least, of texts in Latin letters: estimates are upper bounds there
_RETRY_TEMPERATURE = 0.7  # of further attempts after a greedy one
_TOKENS_OF_CHAT = 32  # largest number that a chat template adds


@dataclass(frozen=True)
class Question:
    """One prompt of a command.

    Attributes:
        prompt: The message of the user.
        attempt: From 0.
        row: Its row in the command's prompts.
    """

    prompt: str
    attempt: int
    row: int


@dataclass
class ChatServer(HttpEndpoint[Question, ModelAnswer]):
    """A server that answers messages; `parameters` are part of each request."""

    parameters: dict[str, Any] | None = None

    group: ClassVar[str] = "language_model"
    path: ClassVar[str] = "chat/completions"
    gives: ClassVar[str] = "answers"
    keys: ClassVar[str] = (
        "language_model.url, language_model.model, language_model.parameters, and the length of the prompt"
    )

    def body(self, request: Question) -> bytes:
        parameters = dict(self.parameters or {})
        if "seed" in parameters:
            parameters["seed"] += request.attempt
        if request.attempt and parameters.get("temperature") == 0:
            parameters["temperature"] = _RETRY_TEMPERATURE
        messages = [{"role": "user", "content": request.prompt}]
        return json.dumps({"model": self.model, "messages": messages, **parameters}).encode()

    def read(self, content: bytes, request: Question) -> ModelAnswer:
        return read_completion(content)


class ChatGenerator:
    """Sends prompts to /v1/chat/completions in concurrent requests; each answer is kept as soon as it is there.

    Args:
        url: URL of the server with the version, as in http://localhost:8000/v1.
        model: Name of the model at the server.
        revision: Version of the server's weights, for the identity only.
        max_new_tokens: Largest number of tokens of an answer, sent as max_tokens.
        temperature: Sampling temperature; 0 for greedy answers, whose further attempts have 0.7.
        seed: Sampling seed, if the server supports it; None sends none.
        parameters: Further parameters of each request, such as {top_p: 0.9}, sent unchanged.
        n_concurrent: Number of requests at the same time.
        requests_per_minute: Largest number of requests per minute; None for no limit.
        timeout: Seconds of silence after which a request is repeated.
        max_attempts: Number of attempts of a request.
        first_wait: Seconds before the second attempt; doubled before each further one.
        max_wait: Largest number of seconds before an attempt; a longer Retry-After ends the command.
        api_key_variable: The environment variable that holds the key; None sends no key.

    Raises:
        ConfigError: If a value is impossible.
    """

    group = "language_model"
    server_class: type[ChatServer] = ChatServer

    def __init__(
        self,
        url: str,
        model: str,
        revision: str | None = None,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int | None = 0,
        parameters: Any = None,
        n_concurrent: int = 8,
        requests_per_minute: float | None = None,
        timeout: float = 120.0,
        max_attempts: int = 6,
        first_wait: float = 0.5,
        max_wait: float = 60.0,
        api_key_variable: str | None = None,
    ) -> None:
        from recsys.language_models.generation import check_sampling

        check_sampling(max_new_tokens, temperature, seed)
        for name, count in {"n_concurrent": n_concurrent, "max_attempts": max_attempts}.items():
            check_whole(f"{self.group}.{name}", count, 1)
        for name, value in {
            "timeout": timeout,
            "max_wait": max_wait,
            "requests_per_minute": requests_per_minute,
        }.items():
            check_number(f"{self.group}.{name}", value, above=0, optional=name == "requests_per_minute")
        check_number(f"{self.group}.first_wait", first_wait, at_least=0)
        further = mapping_of(f"{self.group}.parameters", parameters, "{top_p: 0.9}")
        sent: dict[str, Any] = {"max_tokens": max_new_tokens, "temperature": temperature, **further}
        sent |= {} if seed is None else {"seed": seed}
        self.max_new_tokens = _largest_answer(sent, max_new_tokens)
        backoff, pace = Backoff(max_attempts, first_wait, max_wait), Pace(requests_per_minute)
        url = url.rstrip("/")
        connection = api_key_variable, timeout, backoff, pace, n_concurrent
        self.server = self.server_class(url, model, *connection, parameters=sent)
        self.sent, self.revision, self.n_concurrent = sent, revision, n_concurrent
        self.name, self.n_calls = model, 0

    def check(self) -> None:
        """Nothing to check before the first request."""

    def identity(self) -> dict[str, Any]:
        """Everything that answers depend on, except the prompt, as far as a client knows it."""
        known = {"url": self.server.url, "name": self.server.model, "revision": self.revision}
        return {"generator": "endpoint", **known, **self.sent}

    def parameters(self) -> dict[str, Any]:
        """The parameters of generation."""
        return {"max_new_tokens": self.max_new_tokens, **self.sent}

    def open(self, cache_dir: Path) -> None:
        """Nothing to load."""

    def count_tokens(self, prompts: Sequence[str]) -> int:
        """An estimate of the tokens of the prompts, rather too many."""
        return sum(map(_estimate, prompts))

    def generate(self, prompts: Sequence[str], attempt: int, keep: Keep, budget: TokenBudget) -> None:
        """Answer the prompts.

        Args:
            prompts: Any number.
            attempt: From 0; a further one has another seed.
            keep: Called with each answer, in this thread.
            budget: Of tokens and money. A server that counts no tokens is counted by the estimate.

        Raises:
            EndpointError: If the server refuses, or fails too often; answers so far are kept.
            BudgetError: If the next request could exceed the budget; likewise.
        """
        self.server.stop = threading.Event()

        def ask(question: Question) -> ModelAnswer:
            reserved = _estimate(question.prompt), self.max_new_tokens
            budget.reserve(*reserved)
            answer = None
            try:
                answer = self.server.ask(question)
            finally:
                budget.settle(reserved, None if answer is None else spent([_counted(answer, *reserved)]))
            return _counted(answer, *reserved)

        def keep_one(question: Question, answer: ModelAnswer) -> None:
            self.n_calls += 1
            keep([question.row], [answer])

        questions = [Question(prompt, attempt, row) for row, prompt in enumerate(prompts)]
        ask_all(questions, ask, keep_one, self.n_concurrent, self.server.stop)


def read_completion(content: bytes) -> ModelAnswer:
    """The first choice of an answer of /v1/chat/completions.

    Raises:
        BadAnswer: If it is malformed.

    Example:
        >>> read_completion(b'{"choices": [{"message": {"content": "Jazz."}}], "usage": {"prompt_tokens": 3}}')
        ModelAnswer(text='Jazz.', prompt_tokens=3, completion_tokens=None)
    """
    body = read_body(content)
    try:
        text = body["choices"][0]["message"]["content"]
        usage = body.get("usage")
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadAnswer(f"it is malformed ({type(error).__name__})") from error
    if not isinstance(text, str | None):
        raise BadAnswer("its content is no text")
    return ModelAnswer(text or "", tokens_of(usage, "prompt_tokens"), tokens_of(usage, "completion_tokens"))


def read_body(content: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        BadAnswer: If it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"it is malformed ({type(error).__name__})") from error


def tokens_of(usage: Any, key: str) -> int | None:
    """A number of tokens in an answer's `usage`; None where it is missing or no number."""
    found = usage.get(key) if isinstance(usage, dict) else None
    return found if type(found) is int and found >= 0 else None


def _largest_answer(sent: dict[str, Any], max_new_tokens: int) -> int:
    """The largest number of tokens of an answer, which `parameters` may change; a budget reserves so many."""
    limits = [sent[key] for key in ("max_tokens", "max_completion_tokens") if sent.get(key) is not None]
    for key in ("max_tokens", "max_completion_tokens", "n"):
        check_whole(f"language_model.parameters.{key}", sent.get(key), 1, optional=True)
    return max(limits, default=max_new_tokens) * (sent.get("n") or 1)


def _estimate(prompt: str) -> int:
    return len(prompt.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + _TOKENS_OF_CHAT


def _counted(answer: ModelAnswer, read: int, wrote: int) -> ModelAnswer:
    """The answer, with estimates in place of the tokens that the server did not count."""
    prompt = read if answer.prompt_tokens is None else answer.prompt_tokens
    return ModelAnswer(answer.text, prompt, wrote if answer.completion_tokens is None else answer.completion_tokens)
