"""Reading and checking the data of an answer, and choosing the text of its items."""

from __future__ import annotations

from collections.abc import Callable

from recsys.config.overrides import override
from recsys.data.dataset import Dataset
from recsys.data.item_texts import have_texts, template_of
from recsys.experiment.inputs import load_split
from recsys.schema import ConfigError
from recsys.studies.answers.answer_request import Request

Say = Callable[[str], None]


def read_data(asked: Request, say: Say) -> tuple[Dataset, list[str]]:
    """The data set, and the override of the items' text template if the command gives none.

    Raises:
        ConfigError: If the items have no text.
        DataError: If the data is malformed.
    """
    dataset = _dataset(asked)
    if have_texts(dataset):
        return dataset, []
    template = template_of(dataset.items)
    if template is None or asked.cfg.choices.data != "table":
        raise ConfigError(
            f"the items of {dataset.name} have no text, which a language model needs: give a table of items "
            "(data.items.file) and a template of their text (data.items.template), as in '{title}. {genres}'."
        )
    say(f"The text of an item is made of all text columns: {template} (data.items.template chooses others).")
    further = [override("data.items.template", template)]
    return _dataset(asked, further), further


def _dataset(asked: Request, further: list[str] | None = None) -> Dataset:
    from recsys.data.dataset_cache import load_dataset
    from recsys.experiment.built_once import shared
    from recsys.experiment.inputs import cache_dir

    cfg = asked.run_cfg(str(asked.cfg.choices.split), *(further or []))
    return load_dataset(shared("data", cfg.data), cache_dir(cfg))


def problems_of(asked: Request, name: str) -> list[str]:
    """Warnings of this split of the data, or the error that it raises; empty if the split fits."""
    try:
        return load_split(asked.run_cfg(name)).warnings
    except ConfigError as error:
        return [str(error)]
