"""Few-shot examples of a prompt: the prompts of items or users of the train part, each with a given answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.schema import ConfigError

KEY = "prompt.examples"


@dataclass(frozen=True)
class Example:
    """A worked example.

    Attributes:
        id: The raw id of an item or user of the train part.
        answer: What the model should write about it.
    """

    id: str
    answer: str


def read_examples(given: Any, check_answer: Callable[[str], Any]) -> list[Example]:
    """The examples of a configuration.

    Args:
        given: A list of mappings with `id` and `answer`.
        check_answer: Returns None for an answer that would not be accepted from the model either.

    Raises:
        ConfigError: If they have other keys, an id occurs twice, or an answer is not accepted.
    """
    if not isinstance(given, list | tuple) or not all(isinstance(one, dict) for one in given):
        raise ConfigError(f"{KEY} is {given!r}; expected a list such as [{{id: 318, answer: A film about hope.}}].")
    wrong = next((one for one in given if set(one) != {"id", "answer"}), None)
    if wrong is not None:
        raise ConfigError(f"{KEY} has an entry with the keys {', '.join(map(str, wrong))}; expected id and answer.")
    found = [Example(str(one["id"]), str(one["answer"])) for one in given]
    if len({one.id for one in found}) < len(found):
        raise ConfigError(f"{KEY} has an id twice: leave one of them out.")
    refused = next((one for one in found if check_answer(one.answer) is None), None)
    if refused is not None:
        raise ConfigError(f"{KEY}: the answer of {refused.id} is empty, or does not match prompt.json_schema.")
    return found


def with_examples(
    prompts: Sequence[str], ids: pl.Series, is_train: NDArray[np.bool_], examples: Sequence[Example]
) -> list[str]:
    """The prompts with all examples before them; the prompt of an example has only the other examples.

    Args:
        prompts: (n) in the order of `ids`; empty ones stay empty.
        ids: (n,) raw ids of the items or users.
        is_train: (n,) whether they have train interactions.
        examples: The examples; may be empty.

    Raises:
        ConfigError: If an example is not in the train part, or its prompt is empty.

    Example:
        >>> ids, is_train = pl.Series(["1", "2", "3"]), np.array([True, False, False])
        >>> with_examples(["Heat?", "Nixon?", ""], ids, is_train, [Example("1", "Crime.")])
        ['Heat?', 'Heat?\\nCrime.\\n\\nNixon?', '']
    """
    if not examples:
        return list(prompts)
    rows = [_row(one, prompts, ids, is_train) for one in examples]
    shown = [f"{prompts[row]}\n{one.answer}\n\n" for row, one in zip(rows, examples, strict=True)]
    found = [f"{''.join(shown)}{prompt}" if prompt else "" for prompt in prompts]
    for place, row in enumerate(rows):
        found[row] = "".join([*shown[:place], *shown[place + 1 :], prompts[row]])
    return found


def _row(example: Example, prompts: Sequence[str], ids: pl.Series, is_train: NDArray[np.bool_]) -> int:
    places = np.flatnonzero((ids.cast(pl.String) == example.id).to_numpy())
    if not len(places) or not is_train[places[0]] or not prompts[places[0]]:
        raise ConfigError(
            f"{KEY}: {example.id} is not in the train part, or its prompt is empty; expected the id of an item or user "
            "with train interactions, since examples must not contain test data."
        )
    return int(places[0])
