"""Settings of tests and intervals, and warnings about unreliable ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.reports.bootstrap import LEVEL, N_RESAMPLES
from recsys.reports.corrections import CORRECTIONS, HOLM
from recsys.reports.formatting import listed
from recsys.reports.seed_variance import (
    SEED_INTERVALS,
    TWO_LEVEL_BOOTSTRAP,
    TWO_LEVEL_T,
)
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

T, RANDOMISATION = "t", "randomisation"
ENOUGH_SEEDS = 10  # least number of seeds of the bootstrap over seeds; see docs/explanation/comparing.md
ENOUGH_USERS = 10  # least number of users with values other than 0; with fewer, intervals cover less than 94 %


@dataclass(frozen=True)
class Inference:
    """How differences are tested.

    Attributes:
        test: "t", the paired t-test, or "randomisation", the paired randomisation test; both two-sided, over users.
            It is used with one seed, or if seeds have no effect; otherwise a two-level t-test over users and seeds is.
        correction: Correction of p-values for a family of comparisons: "holm" or "benjamini_hochberg".
        level: Nominal coverage of intervals; corrected p-values below 1 - level are significant.
        n_resamples: Number of resamples of the bootstrap and of the randomisation test.
        seed_interval: How the variance between seeds enters an interval: "two_level_t", as in the test, or
            "two_level_bootstrap", which is too narrow with few seeds.

    Raises:
        ConfigError: If a value is invalid.
    """

    test: str = T
    correction: str = HOLM
    level: float = LEVEL
    n_resamples: int = N_RESAMPLES
    seed_interval: str = TWO_LEVEL_T

    def __post_init__(self) -> None:
        _check_choice("test", self.test, (T, RANDOMISATION))
        _check_choice("correction", self.correction, tuple(CORRECTIONS))
        _check_choice("seed_interval", self.seed_interval, SEED_INTERVALS)
        check_number("level", self.level, at_least=0.5, below=1, reason=", such as 0.95")
        check_whole("n_resamples", self.n_resamples, 100, reason=", better 10000 or more")

    def test_name(self, n_seeds: int) -> str:
        """The name of the test that decides significance, with its scope.

        Example:
            >>> Inference().test_name(1)
            'paired t-test over users (one seed: for new users only)'
            >>> Inference().test_name(3)
            'two-level t-test for new users and new seeds'
        """
        if n_seeds > 1:
            caution = " (two seeds: less reliable than three or more)" if n_seeds == 2 else ""
            return f"two-level t-test for new users and new seeds{caution}"
        name = {T: "paired t-test", RANDOMISATION: "paired randomisation test"}[self.test]
        return f"{name} over users (one seed: for new users only)"

    @property
    def alpha(self) -> float:
        """The significance level of corrected p-values.

        Example:
            >>> Inference(level=0.95).alpha
            0.05
        """
        return round(1 - self.level, 12)


def too_few_resamples(inference: Inference, n_comparisons: int) -> str | None:
    """A warning if the smallest possible corrected p of a randomisation test is above the significance level."""
    needed = round(n_comparisons / inference.alpha)
    if inference.test != RANDOMISATION or inference.n_resamples >= needed:
        return None
    return (
        f"n_resamples={inference.n_resamples} is too few for a randomisation test that is corrected for "
        f"{n_comparisons} comparisons: a single difference cannot become significant; use {needed} or more."
    )


def too_few_seeds(inference: Inference, n_seeds: int) -> str | None:
    """A warning if the bootstrap over seeds has too few seeds; otherwise None."""
    if inference.seed_interval != TWO_LEVEL_BOOTSTRAP or not 1 < n_seeds < ENOUGH_SEEDS:
        return None
    return (
        f"seed_interval={TWO_LEVEL_BOOTSTRAP} is too narrow with {n_seeds} seeds; use {TWO_LEVEL_T}, or "
        f"{ENOUGH_SEEDS} seeds."
    )


def too_few_users(n_users: Mapping[str, int], metric: str) -> str | None:
    """A warning if few users have values other than 0, on which the interval of a mean depends; otherwise None.

    Args:
        n_users: Number of users with values other than 0, by the cell's label.
        metric: Name of the metric.
    """
    few = [f"{label} ({n})" for label, n in n_users.items() if n < ENOUGH_USERS]
    if not few:
        return None
    return (
        f"fewer than {ENOUGH_USERS} users have a value of {metric} other than 0 in {listed(few)}: "
        "their intervals may be too narrow and their tests are approximate."
    )


def _check_choice(key: str, found: str, known: Sequence[str]) -> None:
    if found not in known:
        raise ConfigError(f"{key}={found}; expected {' or '.join(known)}.")
