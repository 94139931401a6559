"""Recommendations by the Python interface: for known users, or for a new user with a history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from recsys.experiment.finished import Run
from recsys.schema import ConfigError
from recsys.serving.item_filters import item_rows
from recsys.serving.model import Served, serve
from recsys.serving.new_texts import check_serves_new_users, with_profile_texts
from recsys.serving.output import recommendations
from recsys.serving.ranking import rank
from recsys.serving.users import ServedUsers, known_users, new_user
from recsys.support.ids import ids_of
from recsys.support.number_checks import check_whole


def recommend_items(run: Run, user: Any, history: Sequence[Any] | None, top_k: int) -> pl.DataFrame:
    """The best items for known users, or for a new one: `user_id`, `rank`, `item_id`, `title`, `score`, best first.

    Args:
        run: A run with a model.
        user: One id of the data, or a list, array, series or frame of ids; None for a new user.
        history: Item ids of a new user, oldest first; None for known users.
        top_k: Number of items for each user.

    Raises:
        ConfigError: If a user is not in the data, not exactly one of user and history is given, `top_k` is no positive
            whole number, or the model cannot represent new users.
        DataError: If an item of the history is not in the data.
    """
    if (user is None) == (history is None):
        raise ConfigError("recommend needs either the id of a known user or the history (item ids) of a new one.")
    check_whole("the number of items", top_k, 1)
    served = serve(run)
    users = known_users(served, user) if history is None else _with_history(served, history)
    return recommendations(served, users, rank(served, users, top_k))


def _with_history(served: Served, history: Sequence[Any]) -> ServedUsers:
    check_serves_new_users(served, by_text=False)
    ids = pl.Series(ids_of(history, "history"), dtype=pl.String)
    return with_profile_texts(served, new_user(item_rows(served.items, ids, "history")), [""])
