"""A data set of tables in memory, for runs and studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import polars as pl

from recsys.api.arguments import errors_of_arguments, with_arguments
from recsys.config.compose import compose
from recsys.config.overrides import override
from recsys.data.dataset import Dataset
from recsys.data.dataset_cache import load_dataset
from recsys.data.description import describe
from recsys.data.item_texts import have_texts, template_of
from recsys.data.sources.faults import faulty_rows_warnings
from recsys.data.sources.frames import SUFFIX, as_frame, keep_frames, with_whole_ids
from recsys.experiment.built_once import shared
from recsys.experiment.inputs import cache_dir
from recsys.reports.cards import card, table_html
from recsys.schema import ConfigError

ROLES = ("interactions", "items", "users")
_ID_OF_ROLE = {
    "items": ("item_id", "item"),
    "users": ("user_id", "user"),
}  # key of a table's id, and the key of the same id in interactions


class DataKeys(TypedDict, total=False):
    """The keys of `recsys.dataset`; those of `data=table` in parentheses.

    Attributes:
        user: Column of the user's id (`data.interactions.user`, "user_id").
        item: Column of the item's id (`data.interactions.item`, "item_id").
        rating: Column of the rating (`data.interactions.rating`).
        timestamp: Column of the time (`data.interactions.timestamp`).
        timestamp_unit: "auto" (the default), "s", "ms", "us", "ns", "iso", or a format such as "%d.%m.%Y"
            (`data.interactions.timestamp_unit`). Columns of dates or times need none.
        min_rating: Interactions with a lower rating are not positives (`data.interactions.min_rating`).
        part: Column with train, val or test, for `split=given` (`data.interactions.part`).
        item_id: Column of the id in `items` (`data.items.id`); the default is the name in `item` if `items` has it.
        item_text: Template of an item's text, such as "{title}. {genres}" (`data.items.template`).
        categories: Column of the item's categories (`data.items.categories`).
        categories_separator: Separator of categories if the column is not a list (`data.items.categories_separator`).
        unknown_items: Interactions of items that `items` lacks: "error" or "drop" (`data.items.unknown`).
        user_id: Column of the id in `users` (`data.users.id`); the default is the name in `user` if `users` has it.
        bad_rows: Rows that cannot be read: "error", or "drop" and count them (`data.bad_rows`).
        decimal_comma: Whether ratings are texts with a decimal comma, as in "4,5" (`data.decimal_comma`).
        min_user_interactions: Users with fewer are dropped (`split.user_k_core`).
        min_item_interactions: Items with fewer are dropped (`split.item_k_core`).
    """

    user: str
    item: str
    rating: str
    timestamp: str
    timestamp_unit: str
    min_rating: float
    part: str | None
    item_id: str
    item_text: str
    categories: str
    categories_separator: str
    unknown_items: str
    user_id: str
    bad_rows: str
    decimal_comma: bool
    min_user_interactions: int
    min_item_interactions: int


_CONFIG_KEYS = {
    "user": "data.interactions.user",
    "item": "data.interactions.item",
    "rating": "data.interactions.rating",
    "timestamp": "data.interactions.timestamp",
    "timestamp_unit": "data.interactions.timestamp_unit",
    "min_rating": "data.interactions.min_rating",
    "part": "data.interactions.part",
    "item_id": "data.items.id",
    "item_text": "data.items.template",
    "categories": "data.items.categories",
    "categories_separator": "data.items.categories_separator",
    "unknown_items": "data.items.unknown",
    "user_id": "data.users.id",
    "bad_rows": "data.bad_rows",
    "decimal_comma": "data.decimal_comma",
    "min_user_interactions": "split.user_k_core",
    "min_item_interactions": "split.item_k_core",
}
_TABLE_OF_KEY = dict.fromkeys(("item_id", "item_text", "categories", "categories_separator", "unknown_items"), "items")
_TABLE_OF_KEY |= {"user_id": "users"}


@dataclass(frozen=True, repr=False)
class OwnData:
    """A checked data set, made from tables in memory.

    Attributes:
        name: For reports.
        overrides: The overrides that choose it, for `recsys.run`, `recsys.study` and every command.
        dataset: Its interactions, items and users as frames.
    """

    name: str
    overrides: list[str]
    dataset: Dataset = field(compare=False)

    @property
    def statistics(self) -> dict[str, Any]:
        """Sizes, density, texts, time span, and rows that were dropped, by kind."""
        return describe(self.dataset)

    @property
    def fingerprint(self) -> str:
        """A hash of the content, the same for files with the same rows."""
        return self.dataset.fingerprint

    def __repr__(self) -> str:
        found = self.statistics
        dropped = ", ".join(f"{kind} {count:,}" for kind, count in found["dropped"].items())
        lines = [
            f"Dataset {self.name!r}: {found['users']:,} users, {found['items']:,} items, "
            f"{found['interactions']:,} interactions ({found['density']:.2%} of all pairs)",
            f"  items with text: {found['with_text']:.0%}; interactions of a user: median {found['per_user_median']:g}",
            *([f"  from {found['from']} until {found['until']}"] if "from" in found else []),
            *([f"  dropped: {dropped}"] if dropped else []),
            *(f"  warning: {warning}" for warning in self._warnings()),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        found = self.statistics
        facts = {
            "users": f"{found['users']:,}",
            "items": f"{found['items']:,}",
            "interactions": f"{found['interactions']:,}",
            "density": f"{found['density']:.2%}",
            "items with text": f"{found['with_text']:.0%}",
            "interactions of a user": f"median {found['per_user_median']:g}",
        }
        if "from" in found:
            facts["time"] = f"{found['from']} until {found['until']}"
        if found["dropped"]:
            facts["dropped"] = ", ".join(f"{kind} {count:,}" for kind, count in found["dropped"].items())
        for warning in self._warnings():
            facts["warning"] = warning
        return card(f"Dataset {self.name}", table_html([], list(facts.items())), f"fingerprint {self.fingerprint}")

    def _warnings(self) -> list[str]:
        found = faulty_rows_warnings(self.dataset.dropped, self.dataset.interactions.height)
        template = None if have_texts(self.dataset) else template_of(self.dataset.items)
        missing = f"no item has a text, which text encoders need: set item_text, as in item_text={template!r}"
        return [*(with_arguments(warning, _CONFIG_KEYS) for warning in found), *([missing] if template else [])]


def make_dataset(
    tables: Mapping[str, Any], name: str, keys: Mapping[str, Any], overrides: Sequence[str] = ()
) -> OwnData:
    """Check tables in memory, write them into the cache once, and read them as `data=table` does.

    Args:
        tables: By role, "interactions" and perhaps "items" and "users"; see `frames.as_frame` for their types.
        name: Of the data set.
        keys: See `DataKeys`.
        overrides: Further ones, such as those of paths.

    Raises:
        ConfigError: If a key is unknown or has an impossible value.
        DataError: If a table is malformed; the message names table, row, column, the found and the expected value.
    """
    unknown = next((key for key in keys if key not in _CONFIG_KEYS), None)
    if unknown is not None:
        raise ConfigError(f"recsys.dataset has no key {unknown!r}; expected some of {', '.join(_CONFIG_KEYS)}.")
    with errors_of_arguments(_CONFIG_KEYS):
        return _checked(tables, name, keys, overrides)


def _checked(tables: Mapping[str, Any], name: str, keys: Mapping[str, Any], overrides: Sequence[str]) -> OwnData:
    given_roles = [role for role in ROLES if role == ROLES[0] or tables.get(role) is not None]
    for key in keys:
        role = _TABLE_OF_KEY.get(key, ROLES[0])
        if role not in given_roles:
            raise ConfigError(f"{key} is given, but no table of {role}: give {role}=… too.")
    frames = {role: as_frame(tables.get(role), role) for role in given_roles}
    completed = _with_defaults(frames, keys)
    for role, frame in frames.items():
        ids = [str(completed.get(key) or key) for key in ("user", "item", "user_id", "item_id")]
        frames[role] = with_whole_ids(frame, ids)
    given = {_CONFIG_KEYS[key]: value for key, value in completed.items()}
    further = list(overrides)
    folder = keep_frames(frames, cache_dir(compose(further)))
    chosen = ["data=table", override("data.path", str(folder.absolute())), override("data.name", name)]
    chosen += [override(f"data.{role}.file", f"{role}{SUFFIX}") for role in frames]
    chosen += [override(key, value) for key, value in given.items()]
    cfg = compose([*chosen, *further])
    return OwnData(name, chosen, load_dataset(shared("data", cfg.data), cache_dir(cfg)))


def _with_defaults(frames: Mapping[str, pl.DataFrame], keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys, with the columns of ids that the tables suggest."""
    completed = dict(keys)
    for role, (key, namesake) in _ID_OF_ROLE.items():
        same = keys.get(namesake)
        if role in frames and key not in keys and same in frames[role].columns:
            completed[key] = same
    return completed
