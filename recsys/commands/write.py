"""Let a language model write texts about items or users, for models to read.

The first word is items or users, or prompt=… chooses.
Each answer is saved at once, so an interrupted command continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from omegaconf import DictConfig
from rich.console import Console

from recsys.config.compatibility import check_data
from recsys.config.value_checks import check_flags
from recsys.data.provenance import provenance_file
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole
from recsys.support.screen import Screen
from recsys.support.whole_files import OUTPUT, write_atomically

if TYPE_CHECKING:
    from recsys.experiment.text_writing import Task, Written

EXAMPLES = (
    "recsys write items n_texts=20 dry_run=true",
    "recsys write users output=users.parquet",
    "recsys write items language_model=endpoint language_model.url=http://localhost/v1 language_model.model=<name>",
)
FIRST_WORDS = {"items": "prompt=item_facts", "users": "prompt=user_profile"}  # with the prompts that they choose


def arguments_of(words: Sequence[str]) -> list[str]:
    """The arguments with the choice of a prompt in place of the first word `items` or `users`.

    Example:
        >>> arguments_of(["users", "dry_run=true"])
        ['prompt=user_profile', 'dry_run=true']
        >>> arguments_of(["users", "prompt=user_choices"])
        ['prompt=user_choices']
    """
    first, rest = (words[0], list(words[1:])) if words else ("", [])
    if first not in FIRST_WORDS:
        return list(words)
    chosen = any(word.startswith("prompt=") for word in rest)
    return rest if chosen else [FIRST_WORDS[first], *rest]


def run(cfg: DictConfig, console: Console | None = None) -> None:
    """Write the texts and their provenance; with `dry_run`, show one prompt and the number of calls.

    Raises:
        ConfigError: If the configuration is impossible.
        DataError: If the data is malformed.
        BudgetError: If the budget is used up.
    """
    _check(cfg)
    from recsys.experiment.text_writing import task, write

    console, planned = console or Screen(soft_wrap=True), task(cfg)
    if cfg.dry_run:
        for line in _plan(cfg, planned):
            console.print(line, highlight=False, markup=False)
        return
    path = _output(cfg, planned.prompt.about)
    with _progress(len(planned.distinct), f"writing about {planned.prompt.about}") as done:
        written = write(cfg, planned, done)
    buffer = BytesIO()
    written.table.write_parquet(buffer)
    write_atomically(path, buffer.getvalue(), OUTPUT)
    provenance = yaml.safe_dump(written.provenance, sort_keys=False, allow_unicode=True)
    write_atomically(provenance_file(path), provenance.encode(), OUTPUT)
    for line in report(written, path):
        console.print(line, highlight=False, markup=False)


def report(written: Written, path: Path) -> list[str]:
    """Lines with the number of texts, and the calls, tokens and cost that they needed."""
    facts, answers, budget = written.provenance, written.answers, written.budget
    cost = f", cost {facts['cost']:.4f}" if "cost" in facts else ""
    cost_now = "" if budget.cost is None else f", cost {budget.cost:.4f}"
    n = written.table.height
    return [
        f"{facts['n_texts']:,} of {n:,} {facts['about']} have a text by {facts['model']}",
        f"{answers.n_calls:,} calls: {answers.prompt_tokens:,} tokens read, "
        f"{answers.completion_tokens:,} written{cost}",
        f"{answers.n_new_calls:,} of them now: {budget.prompt_tokens:,} tokens read, {budget.completion_tokens:,} "
        f"written{cost_now}",
        f"Written: {path}, with its provenance in {provenance_file(path).name}",
    ]


def _check(cfg: DictConfig) -> None:
    check_data(cfg)
    check_whole("n_texts", cfg.n_texts, 1, optional=True)
    check_whole("max_attempts", cfg.max_attempts, 1)
    check_flags(cfg, "dry_run")
    if cfg.output is not None and Path(str(cfg.output)).suffix != ".parquet":
        raise ConfigError(f"output is {cfg.output!r}; expected a file that ends in .parquet.")


def _output(cfg: DictConfig, about: str) -> Path:
    return Path(f"written_{about}.parquet" if cfg.output is None else cfg.output).expanduser()


def _plan(cfg: DictConfig, planned: Task) -> list[str]:
    """One filled prompt, and the number of calls and tokens."""
    from recsys.experiment.inputs import cache_dir

    generator, prompts = planned.generator, planned.distinct
    generator.open(cache_dir(cfg))
    longest = generator.parameters()["max_new_tokens"]
    calls = f"{len(prompts):,} calls" if cfg.max_attempts == 1 else f"{len(prompts):,} calls, without further attempts"
    return [
        f"The first prompt about {planned.prompt.about}:",
        prompts[0],
        f"{calls}: {generator.count_tokens(prompts):,} tokens to read, at most {len(prompts) * longest:,} to write",
    ]


@contextmanager
def _progress(n: int, description: str) -> Iterator[Callable[[int], None]]:
    """A progress bar with the time left, on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    console = Screen(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        number = bar.add_task(description, total=n)
        yield lambda done: bar.advance(number, done)
