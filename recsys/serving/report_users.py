"""Users of a report's main comparison, with the recommendations of both cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig, ListConfig

from recsys.config.value_checks import check_keys
from recsys.reports.comparison import Comparison
from recsys.schema import ConfigError, RecsysError
from recsys.support.number_checks import check_number, check_whole

if TYPE_CHECKING:
    from recsys.reports.sections import Section
    from recsys.reports.user_examples import UserChoice, UserExample

_TITLES = 10  # most titles of a history and of the relevant items
_REPORTED = (RecsysError, ImportError, OSError, RuntimeError)  # errors of opening a model, which the report shows


def check_user_examples(own: DictConfig) -> None:
    """Raise an error for invalid values of the keys `user_examples`, before anything is computed.

    Raises:
        ConfigError: If a value is invalid; the message names the key.
    """
    check_keys("user_examples", own, ("n", "pair", "hide_ids", "seed", "max_seconds"))
    check_whole("user_examples.n", own.n, 0)
    check_whole("user_examples.seed", own.seed, 0)
    check_number("user_examples.max_seconds", own.max_seconds, at_least=0)
    if not isinstance(own.hide_ids, bool):
        raise ConfigError(f"user_examples.hide_ids is {own.hide_ids!r}; expected true or false.")
    if own.pair is not None and (not isinstance(own.pair, ListConfig) or len(set(map(str, own.pair))) != 2):
        raise ConfigError(
            f"user_examples.pair is {own.pair}; expected two cells, as in [bert+dot,popularity], or null."
        )


def user_examples(own: DictConfig, comparison: Comparison, compared: Sequence[str] | None = None) -> list[Section]:
    """The section of user examples; none if `user_examples.n` is 0, or there are no values per user.

    If recommendations cannot be computed, the section has the users' metrics and the reason.

    Args:
        own: The keys `user_examples`.
        comparison: Comparison of the cells.
        compared: Labels of the two cells if `user_examples.pair` is null; None for the best cell and the baseline.

    Raises:
        ComparisonError: If `user_examples.pair` are not two cells.
    """
    from recsys.reports.user_examples import choose_users, main_pair, users_section

    wanted = own.pair or compared
    pair = main_pair(comparison, wanted and list(map(str, wanted)))
    if pair is None or own.n == 0:
        return []
    choice = choose_users(comparison, pair, own.n, own.seed)
    problem, examples = None, {}
    try:
        examples = _examples(choice, comparison, own.max_seconds)
    except _REPORTED as error:
        problem = str(error)
    return [users_section(choice, examples, problem, own.hide_ids)]


def _examples(choice: UserChoice, comparison: Comparison, max_seconds: float) -> dict[str, UserExample]:
    """The examples, by user id."""
    from recsys.experiment.finished import finished_run
    from recsys.reports.user_examples import UserExample
    from recsys.serving.user_lists import check_in_time, user_lists

    assert comparison.runs_dir is not None
    runs = [finished_run(record.run_id, comparison.runs_dir) for record in choice.runs]
    for run in runs:
        check_in_time(run, max_seconds)
    ids = [own.user for own in choice.users]
    firsts, seconds = (user_lists(run, ids, choice.depth, _TITLES) for run in runs)
    return {
        user: UserExample(first.history, first.relevant, first.n_relevant, (first.items, second.items))
        for user, first, second in zip(ids, firsts, seconds, strict=True)
    }
