"""Recommendations for users of the test, with their histories and relevant items, by titles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys import schema
from recsys.data.queries import has_impressions, stage_queries
from recsys.experiment.finished import Run
from recsys.experiment.inputs import are_encoded
from recsys.schema import ConfigError
from recsys.serving.model import serve
from recsys.serving.ranking import rank
from recsys.serving.users import known_users


@dataclass(frozen=True)
class UserList:
    """A test user with recommendations.

    Attributes:
        history: Titles of the newest known items, the newest first.
        relevant: Titles of relevant items of the test.
        n_relevant: Number of all relevant items.
        items: Titles of the recommended items, best first, each with whether it is relevant.
    """

    history: list[str]
    relevant: list[str]
    n_relevant: int
    items: list[tuple[str, bool]]


def check_in_time(run: Run, max_seconds: float) -> None:
    """Raise an error if recommendations of a run would take longer than allowed.

    The estimate is the time of the run's test, and of its encoding unless that is cached.

    Raises:
        ConfigError: If it would take longer, or the run's test ranks impressions instead of the catalogue.
    """
    if has_impressions(run.split):
        raise ConfigError("the test ranks the candidates of each impression, so there is no list for each user.")
    times = run.record.times
    needed = times.get("test", 0.0)
    if times.get("encode") and not are_encoded(run.cfg, run.split):
        needed += times["encode"]
    if needed > max_seconds:
        raise ConfigError(
            f"run {run.record.run_id} took {needed:.0f} s to test and to encode what is not cached; "
            f"user_examples.max_seconds={max_seconds:g} allows less."
        )


def user_lists(run: Run, user_ids: Sequence[str], top_k: int, n_titles: int) -> list[UserList]:
    """The lists that the test ranked, one for each of `user_ids`.

    Args:
        run: A run with its weights, whose test does not rank impressions.
        user_ids: Ids of test users.
        top_k: Number of recommended items.
        n_titles: Largest number of titles of a history, and of the relevant items.

    Raises:
        ConfigError: If an id is unknown, or the weights or the data are no longer there.
    """
    served = serve(run)
    users = known_users(served, list(user_ids))
    ranking = rank(served, users, top_k).items.numpy()
    positives, titles = stage_queries(run.split, schema.TEST).positives, served.titles

    def named(items: NDArray[np.int64] | NDArray[np.int32]) -> list[str]:
        return [str(title or "") for title in titles.gather(items)]

    made = []
    for place, user in enumerate(users.idx):
        recommended = ranking[place][ranking[place] >= 0]
        relevant, history = positives[int(user)], users.history[place]
        hits: Iterable[bool] = np.isin(recommended, relevant).tolist()
        made.append(
            UserList(
                named(history[::-1][:n_titles]),
                named(relevant[:n_titles]),
                len(relevant),
                list(zip(named(recommended), hits, strict=True)),
            )
        )
    return made
