"""Prompts about items and users, from templates over columns of the catalogue and train interactions."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from omegaconf import OmegaConf

from recsys import schema
from recsys.data.queries import histories
from recsys.data.sources.templates import fields, render, require_fields
from recsys.data.splits.split import Split
from recsys.data.user_texts import write_texts
from recsys.data.written_texts import ABOUT_ITEMS, ABOUT_USERS, ID_COLUMNS
from recsys.experiment.few_shot import read_examples, with_examples
from recsys.schema import TEXT, TITLE, ConfigError, UserPrompt
from recsys.support.number_checks import check_whole

KEY = "prompt.template"


@dataclass(frozen=True)
class WritingPrompt(ABC):
    """A template of prompts, and the conversion of an answer to a text.

    Attributes:
        template: Template of a prompt. If a field is empty, the literal text before it is dropped too; if all fields
            are empty, there is no prompt.
        json_schema: JSON schema of the object that an answer must contain; None for a plain text.
        text: A template over the object's properties; needed with a schema.
        examples: Few-shot examples before each prompt: mappings with the `id` of an item or user of the train part, and
            its `answer`.

    Raises:
        ConfigError: If the template has no field, or the schema, `text` or an example is invalid.
    """

    template: str
    json_schema: Any = None
    text: str | None = None
    examples: Any = ()

    about = ""  # what the texts are about

    def __post_init__(self) -> None:
        for key in ("json_schema", "examples"):
            value = getattr(self, key)
            if OmegaConf.is_config(value):
                object.__setattr__(self, key, OmegaConf.to_container(value, resolve=True))
        if not any(name for _, name in fields(self.template, KEY)):
            raise ConfigError(f"{KEY} has no field; expected one, as in 'Describe this: {{text}}'.")
        if (self.json_schema is None) != (self.text is None):
            raise ConfigError("prompt.json_schema and prompt.text go together: give both, or null for both.")
        if self.json_schema is not None:
            from recsys.language_models.structured import check_schema

            check_schema(self.json_schema, "prompt.json_schema")
            require_fields(list(self.json_schema["properties"]), self.text or "", "prompt.json_schema", "prompt.text")
        read_examples(self.examples, self.check_answer)

    def fill(self, split: Split) -> list[str]:
        """The n prompts in the order of the items or users, with the examples; "" if all fields of one are empty.

        Raises:
            ConfigError: If the template has an unknown field, or an example is not of the train part.
        """
        ids = getattr(split.dataset, self.about)[ID_COLUMNS[self.about]]
        is_train = split.warm_users if self.about == ABOUT_USERS else split.warm_items
        return with_examples(self._filled(split), ids, is_train, read_examples(self.examples, self.check_answer))

    @abstractmethod
    def _filled(self, split: Split) -> list[str]:
        """The n prompts without the examples."""

    @property
    def sha256(self) -> str:
        """A hash of everything that prompts and texts depend on besides the data and the model."""
        content = {key: value for key, value in vars(self).items() if value or key != "examples"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def check_answer(self, answer: str) -> str | None:
        """The text of an answer, in one line; None if it is empty or does not match the schema."""
        if self.json_schema is None:
            return " ".join(answer.split()) or None
        from recsys.language_models.structured import object_in

        found = object_in(answer, self.json_schema)
        return None if found is None else text_of(found, self.text or "") or None


@dataclass(frozen=True)
class ItemPrompt(WritingPrompt):
    """A prompt about an item, over columns of the catalogue such as `title` and `text`; no interactions are used."""

    about = ABOUT_ITEMS

    def _filled(self, split: Split) -> list[str]:
        items = split.dataset.items
        columns = [name for name, dtype in items.schema.items() if dtype in (pl.String, pl.List(pl.String))]
        require_fields(columns, self.template, "the catalogue", KEY)
        return render(items, self.template, KEY).to_list()


@dataclass(frozen=True)
class HistoryPrompt(WritingPrompt):
    """A prompt about a user, over the users' columns and `items`, the newest items of the user's train interactions.

    Attributes:
        n_items: Number of newest items in the prompt, the newest first.
        item_text: "title" (the whole text if the data has no titles) or "text".
        separator: Text between items.

    Raises:
        ConfigError: If a value is impossible.
    """

    n_items: int = 20
    item_text: str = TITLE
    separator: str = "\n"

    about = ABOUT_USERS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("prompt.n_items", self.n_items, 1)
        if self.item_text not in (TITLE, TEXT):
            raise ConfigError(f"prompt.item_text is {self.item_text!r}; expected {TITLE} or {TEXT}.")

    def _filled(self, split: Split) -> list[str]:
        data = split.dataset
        known = histories(split, schema.TRAIN)
        texts = pl.Series(data.titles if self.item_text == TITLE else data.texts, dtype=pl.String)
        everybody = np.arange(data.n_users)
        prompt = UserPrompt(self.template, "", self.separator, self.n_items, 1)
        written = write_texts(prompt, known, everybody, known.lengths, texts, data.users, KEY)
        return [text if known_items else "" for text, known_items in zip(written, known.lengths, strict=True)]


def text_of(found: Mapping[str, Any], template: str) -> str:
    """The template with the properties of an object; lists are joined by commas.

    Example:
        >>> text_of({"likes": ["jazz", "noir"], "mood": None}, "Likes {likes}. Mood: {mood}.")
        'Likes jazz, noir.'
    """
    words = {name: _words(found.get(name)) for _, name in fields(template, "prompt.text") if name}
    return " ".join(render(pl.DataFrame({name: [value] for name, value in words.items()}), template)[0].split())


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(words for one in value if (words := _words(one)))
    return "" if value is None else str(value)
