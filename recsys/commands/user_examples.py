"""The users of a report's main difference, with the recommendations of both cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from recsys.reports.comparison import Comparison
from recsys.schema import ConfigError, RecsysError

if TYPE_CHECKING:
    from recsys.reports.sections import Section
    from recsys.reports.user_examples import UserChoice, UserExample

_TITLES = 10  # of a history and of the relevant items
_REPORTED = (RecsysError, ImportError, OSError, RuntimeError)  # of a model that cannot be opened: no report ends by it


def user_examples(cfg: DictConfig, comparison: Comparison, compared: Sequence[str] | None = None) -> list[Section]:
    """The section by the keys `user_examples`; none if they ask for no users, or there are no values per user.

    Where recommendations cannot be computed, the section has the users' values, and the reason.

    Args:
        cfg: Of the command.
        comparison: Of the cells.
        compared: Labels of the two cells if `user_examples.pair` is null; None for the best cell and the baseline.

    Raises:
        ConfigError: If a key has a value that it cannot have.
        ComparisonError: If `user_examples.pair` are not two cells.
    """
    from recsys.reports.user_examples import choose_users, main_pair, users_section

    own = cfg.user_examples
    if own.n < 0:
        raise ConfigError(f"user_examples.n is {own.n}; expected 0 or more.")
    wanted = [own.pair] if isinstance(own.pair, str) else own.pair or compared
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
    """By user."""
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
