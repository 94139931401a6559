"""The result of `recsys.answer`: a verdict, a comparison, and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import RenderableType

from recsys.api.comparing import InteractiveComparison
from recsys.api.datasets import OwnData
from recsys.api.runs import overrides_of
from recsys.config.compose import compose
from recsys.config.known_keys import check_kinds
from recsys.config.overrides import override
from recsys.config.value_checks import check_keys
from recsys.reports.cards import card, grid_html
from recsys.schema import ConfigError
from recsys.serving.report_users import check_user_examples, user_examples
from recsys.studies.answers.answering import Answered, make_answer
from recsys.studies.answers.opening import scope_grid
from recsys.support.screen import Screen


@dataclass(frozen=True, repr=False)
class InteractiveAnswer:
    """An answer to whether a language model makes a recommender better.

    Attributes:
        answered: Its comparisons and studies.
    """

    answered: Answered

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        return self.answered.sentence

    @property
    def details(self) -> list[str]:
        """A sentence for all users and for each part of the data, and the smallest detectable difference."""
        return self.answered.details

    @property
    def scopes(self) -> pl.DataFrame:
        """One row for all users and for each part: the compared cells, the difference, its interval, p and result."""
        grid = scope_grid(self.answered.scopes)
        return pl.DataFrame({name: [row[n].text for row in grid.rows] for n, name in enumerate(grid.headers)})

    @cached_property
    def comparison(self) -> InteractiveComparison:
        """All cells; the baseline is the best cell without a language model, by validation."""
        return InteractiveComparison.of(self.answered.main.comparison)

    @cached_property
    def cold_items(self) -> InteractiveComparison | None:
        """The same for the study of cold items, if there is one."""
        cold = self.answered.cold
        return None if cold is None else InteractiveComparison.of(cold.comparison)

    @property
    def report(self) -> Path:
        """The path of the report's page."""
        return self.answered.report

    def __repr__(self) -> str:
        return "\n".join([self.verdict, *(f"  {sentence}" for sentence in self.details), f"  {self.report}"])

    def _repr_html_(self) -> str:
        return card(self.verdict, grid_html(scope_grid(self.answered.scopes)), f"Report: {self.report}")


def answer_question(
    configuration: Sequence[Any], data: OwnData | None, keys: Mapping[str, Any], progress: bool = True
) -> InteractiveAnswer:
    """Answer the question; see `recsys.answer`."""
    given = overrides_of(configuration, data)
    check_keys("answer", keys, [str(key) for key in compose((), "answer") if key not in ("choices", "overrides")])
    if keys.get("dry_run"):
        raise ConfigError("recsys.answer has no dry run; the command `recsys answer dry_run=true` prints the plan.")
    cfg = compose([*given, *(override(key, value) for key, value in keys.items())], "answer")
    check_kinds(cfg, "answer")
    check_user_examples(cfg.user_examples)
    shown, hidden_view = _shown if progress else _hidden, Screen(force_terminal=False, quiet=True)
    answered = make_answer(cfg, shown, hidden_view, partial(user_examples, cfg.user_examples))
    assert answered is not None
    return InteractiveAnswer(answered)


def _hidden(shown: RenderableType) -> None:
    """Print nothing."""


def _shown(shown: RenderableType) -> None:
    """Print the sentences; tables are left to the command line."""
    if isinstance(shown, str):
        Screen(force_terminal=False).print(shown, soft_wrap=True)
