"""Texts about users: their newest items, written into a template."""

from __future__ import annotations

from string import Formatter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.queries import Examples
from recsys.data.ragged import ItemLists
from recsys.data.sources.templates import fields, render, require_fields
from recsys.schema import ConfigError, UserPrompt
from recsys.support.number_checks import check_whole

ITEMS = "items"  # the template's field of the user's items
KEY = "profile.template"


def check_prompt(prompt: UserPrompt) -> None:
    """Raise an error for a prompt that cannot be used.

    Raises:
        ConfigError: With the key and its value.
    """
    for key, least in {"n_items": 1, "n_snapshots": 1}.items():
        check_whole(f"profile.{key}", getattr(prompt, key), least)
    if not any(name for _, name in fields(prompt.template, KEY)):
        raise ConfigError(f"{KEY} is {prompt.template!r}; expected a field, as in 'This person liked: {{items}}.'")
    if not prompt.empty.strip():
        raise ConfigError("profile.empty is empty; expected the text of a user of whom nothing is known.")


def write_texts(
    prompt: UserPrompt,
    histories: ItemLists,
    rows: NDArray[np.int64],
    ends: NDArray[np.int64],
    item_texts: pl.Series,
    people: pl.DataFrame,
    key: str = KEY,
) -> list[str]:
    """T texts, one for the known part of each of T lists.

    Args:
        prompt: The template and its settings.
        histories: The users' items, oldest first.
        rows: (T,) the list of each text.
        ends: (T,) the number of known items in the list; later items are in no text.
        item_texts: (n_items,) the items' texts; an item without one is not named.
        people: (T,) rows with the users' columns; null for unknown values.
        key: The template's key in the configuration, for messages.

    Raises:
        ConfigError: If the template has a field that is neither `items` nor a column of the users.
    """
    columns = [column for column in people.columns if column != ITEMS]
    require_fields([ITEMS, *columns], prompt.template, "what is known of a user", key)
    named = pl.Series(ITEMS, _newest_items(prompt, histories, rows, ends, item_texts), dtype=pl.String)
    used = {name for _, name, _, _ in Formatter().parse(prompt.template) if name}
    known = people.select(_as_words(people, name) for name in columns if name in used)
    texts = render(known.with_columns(named) if known.width else named.to_frame(), prompt.template, key)
    return [text or prompt.empty for text in texts.to_list()]


def snapshot_ends(examples: Examples, n_snapshots: int) -> NDArray[np.int64]:
    """(T,) number of items of its list that the text of each example's user may use: only items before the positive.

    A list of L items is cut at ⌊k·L / (n_snapshots + 1)⌋, k = 0…n_snapshots. An example uses the latest cut that is
    not after its positive, so that a user has at most `n_snapshots` texts beside the empty one. The whole history of
    an impression is before it. It is cut at the positive if the user clicked the same item earlier.
    """
    if examples.shown is None:
        lengths = examples.history.lengths[examples.rows]
        steps = -(-(examples.before + 1) * (n_snapshots + 1) // lengths) - 1
        ends = steps * lengths // (n_snapshots + 1)
    else:
        ends = examples.before
    return np.minimum(ends, _first_places(examples))


def _first_places(examples: Examples) -> NDArray[np.int64]:
    """(T,) position at which the positive first occurs in its list; the list's length if it does not."""
    history = examples.history
    n_items = 1 + max(int(history.values.max(initial=0)), int(examples.positives.max(initial=0)))
    owners = np.repeat(np.arange(len(history)), history.lengths)
    pairs, first = np.unique(owners * n_items + history.values, return_index=True)
    wanted = examples.rows * n_items + examples.positives
    place = np.searchsorted(pairs, wanted).clip(max=max(0, len(pairs) - 1))
    lengths = history.lengths[examples.rows]
    if not len(pairs):
        return lengths
    return np.where(pairs[place] == wanted, first[place] - history.offsets[examples.rows], lengths)


def _newest_items(
    prompt: UserPrompt, histories: ItemLists, rows: NDArray[np.int64], ends: NDArray[np.int64], item_texts: pl.Series
) -> pl.Series:
    """The texts of the newest items of each list before its end, the newest first; empty if there are none."""
    taken = np.minimum(ends, prompt.n_items)
    place = np.repeat(np.arange(len(rows)), taken)
    back = np.arange(len(place)) - np.repeat(np.cumsum(taken) - taken, taken)  # 0 is the newest
    items = histories.values[np.repeat(histories.offsets[rows] + ends, taken) - 1 - back]
    words = item_texts.gather(items).str.strip_chars().alias("words")
    told = pl.DataFrame([pl.Series("place", place), words]).filter(pl.col("words") != "")
    joined = told.group_by("place", maintain_order=True).agg(pl.col("words").str.join(prompt.separator))
    every = pl.DataFrame({"place": np.arange(len(rows))}).join(joined, on="place", how="left", maintain_order="left")
    return every["words"].fill_null("")


def _as_words(people: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name) if isinstance(people.schema[name], pl.List) else pl.col(name).cast(pl.String)


def people_of(users: pl.DataFrame, idx: NDArray[np.int64]) -> pl.DataFrame:
    """(T,) rows of the users' table; null where `idx` (T,) is -1, for a user who is not in it."""
    place = pl.Series(schema.USER, idx).replace(-1, None)
    return users.select(pl.all().gather(place))
