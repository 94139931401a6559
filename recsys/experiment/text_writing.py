"""Writing texts about all items or users of a data set with a language model, and their provenance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from omegaconf import DictConfig

from recsys import __version__
from recsys.config.compose import build
from recsys.data.splits.split import Split
from recsys.data.written_texts import ABOUT, ABOUT_USERS, ID_COLUMNS, NOTHING, READ, SHA256, SPLIT, texts_hash
from recsys.experiment.inputs import cache_dir, load_split
from recsys.experiment.writing_prompts import WritingPrompt
from recsys.language_models.checked_answers import Answers, Generator, answer_all, answer_store
from recsys.language_models.token_budget import TokenBudget
from recsys.schema import TRAIN, WRITTEN, DataError


@dataclass(frozen=True)
class Task:
    """The task of writing texts.

    Attributes:
        generator: The model, not open yet.
        prompt: The template.
        split: The data.
        ids: Raw ids (n,) of the items or users.
        prompts: Their n prompts; "" for none.
        budget: Budget of new calls.
    """

    generator: Generator
    prompt: WritingPrompt
    split: Split
    ids: pl.Series
    prompts: list[str]
    budget: TokenBudget

    @property
    def distinct(self) -> list[str]:
        """The distinct prompts, each a call."""
        return [prompt for prompt in dict.fromkeys(self.prompts) if prompt]


@dataclass(frozen=True)
class Written:
    """Written texts.

    Attributes:
        table: `item_id` or `user_id`, and `written`, null if no attempt gave a valid text.
        provenance: A flat description of their origin.
        answers: The answers, with the numbers of calls and tokens.
        budget: The tokens and cost of new calls.
    """

    table: pl.DataFrame
    provenance: dict[str, Any]
    answers: Answers
    budget: TokenBudget


def task(cfg: DictConfig) -> Task:
    """The prompts of a configuration of `recsys write`.

    Raises:
        ConfigError: If a value is impossible.
        DataError: If the data has no text for any prompt.
    """
    generator, prompt = build("language_model", cfg.language_model), build("prompt", cfg.prompt)
    budget = build("budget", cfg.budget)
    generator.check()
    split = load_split(cfg)
    key = ID_COLUMNS[prompt.about]
    ids, prompts = getattr(split.dataset, prompt.about)[key], prompt.fill(split)
    n = len(prompts) if cfg.n_texts is None else cfg.n_texts
    if not any(prompts[:n]):
        raise DataError(f"the {prompt.about} of {split.dataset.name} have no value for any field of prompt.template.")
    return Task(generator, prompt, split, ids[:n], prompts[:n], budget)


def write(cfg: DictConfig, task: Task, done: Callable[[int], object] = int) -> Written:
    """Write the texts; each answer is cached at once, so that an interrupted command continues.

    Raises:
        BudgetError: If the budget is used up.
        StoreError: If the cache cannot be written.
    """
    folder = cache_dir(cfg)
    task.generator.open(folder)
    store = answer_store(task.generator, folder)
    try:
        check = task.prompt.check_answer
        answers = answer_all(task.generator, task.distinct, check, store, task.budget, cfg.max_attempts, done)
    finally:
        store.close()
    texts = [answers.checked.get(prompt) for prompt in task.prompts]
    key = ID_COLUMNS[task.prompt.about]
    table = pl.DataFrame({key: task.ids, WRITTEN: pl.Series(texts, dtype=pl.String)})
    return Written(table, _provenance(cfg, task, table, answers), answers, task.budget)


def _provenance(cfg: DictConfig, task: Task, table: pl.DataFrame, answers: Answers) -> dict[str, Any]:
    split, model = task.split, task.generator.identity()
    reads_train = task.prompt.about == ABOUT_USERS
    total = task.budget.cost_of(answers.prompt_tokens, answers.completion_tokens)
    cost = {} if total is None else {"cost": total}
    return {
        "program": "recsys write",
        "version": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        ABOUT: task.prompt.about,
        SHA256: texts_hash(table),
        "n_texts": table.height - table[WRITTEN].null_count(),
        "n_without_text": table[WRITTEN].null_count(),
        READ: TRAIN if reads_train else NOTHING,
        "data": split.dataset.name,
        "data_fingerprint": split.dataset.fingerprint,
        "split": split.name,
        SPLIT: split.fingerprint,
        "model": task.generator.name,
        **{f"model_{name}": value for name, value in model.items() if value is not None},
        "prompt": str(cfg.choices.prompt),
        "prompt_sha256": task.prompt.sha256,
        **_examples(task.prompt),
        "n_calls": answers.n_calls,
        "prompt_tokens": answers.prompt_tokens,
        "completion_tokens": answers.completion_tokens,
        **cost,
    }


def _examples(prompt: WritingPrompt) -> dict[str, str]:
    """The ids of the few-shot examples, if there are any."""
    ids = [str(one["id"]) for one in prompt.examples]
    return {"prompt_examples": ", ".join(ids)} if ids else {}
