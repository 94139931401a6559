"""The splits of a study with several: windows of time, cut at shares of all interactions, or random draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.config.overrides import override
from recsys.config.value_checks import check_keys
from recsys.data.splits.parameter_checks import SPLIT_SEEDS
from recsys.reports.over_splits import DRAW
from recsys.reports.split_checks import LEAST_DRAWS
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

KEYS = ("n_windows", "test_share", "validation_share", "step_share", "train_share")
_DIGITS = 10


def windows_of(windows: Any) -> dict[str, list[str]]:
    """The split's overrides of each window, by the window's name; the last test ends with the data.

    Args:
        windows: `n_windows`; `test_share`, `validation_share` and `train_share` of all interactions, the latter None
            for all interactions before the validation; `step_share` between the ends of two tests, None for
            `test_share`.

    Raises:
        ConfigError: If a key is unknown, a value is invalid, tests overlap, or the first window has no train part.

    Example:
        >>> windows_of({"n_windows": 2, "test_share": 0.2, "validation_share": 0.1, "train_share": 0.3})["window 1"]
        ['split.validation_from=0.5', 'split.test_from=0.6', 'split.test_until=0.8', 'split.train_from=0.2']
    """
    if not isinstance(windows, Mapping):
        raise ConfigError(f"study.windows is {windows!r}; expected a mapping with {', '.join(KEYS)}.")
    check_keys("study.windows", windows, KEYS)
    check_whole("study.windows.n_windows", n := windows.get("n_windows"), 2)
    assert isinstance(n, int)
    test = _share("test_share", windows.get("test_share"))
    validation = _share("validation_share", windows.get("validation_share", 0.0), may_be_0=True)
    step = test if windows.get("step_share") is None else _share("step_share", windows["step_share"])
    train = None if windows.get("train_share") is None else _share("train_share", windows["train_share"])
    if step < test:
        raise ConfigError(
            f"study.windows.step_share={step} is smaller than test_share={test}: an interaction would be tested twice."
        )
    return {f"window {k}": _cuts(1 - (n - k) * step, test, validation, train) for k in range(1, n + 1)}


def draws_of(draws: Any) -> dict[str, list[str]]:
    """The split's override of each random draw, by the draw's name.

    Args:
        draws: Values of split.seed.

    Raises:
        ConfigError: If they are not at least three different whole numbers.

    Example:
        >>> draws_of([0, 1, 4])["draw 4"]
        ['split.seed=4']
    """
    if not isinstance(draws, list) or len(set(map(str, draws))) < max(LEAST_DRAWS, len(draws)):
        raise ConfigError(
            f"study.draws is {draws!r}; expected at least {LEAST_DRAWS} different values of split.seed, such as "
            "[0,1,2,3,4]."
        )
    for seed in draws:
        check_whole("study.draws", seed, 0, below=SPLIT_SEEDS)
    return {f"{DRAW} {seed}": [override("split.seed", seed)] for seed in draws}


def is_draw(name: str) -> bool:
    """Whether a split of a study is a random draw, not a window of time."""
    return name.startswith(f"{DRAW} ")


def _share(key: str, value: Any, may_be_0: bool = False) -> float:
    check_number(
        f"study.windows.{key}", value, above=None if may_be_0 else 0, at_least=0 if may_be_0 else None, below=1
    )
    return float(value)


def _cuts(end: float, test: float, validation: float, train: float | None) -> list[str]:
    """The overrides of one window, whose test ends after this share of all interactions."""
    moments = {"validation_from": end - test - validation, "test_from": end - test}
    moments |= {"test_until": end} if end < 1 else {}
    moments |= {} if train is None else {"train_from": moments["validation_from"] - train}
    found = {key: round(moment, _DIGITS) for key, moment in moments.items()}
    if found.get("train_from") == 0:
        del found["train_from"]
    if min(found.values()) <= 0:
        raise ConfigError(
            "study.windows leaves nothing to train on in the first window: expected fewer windows or smaller shares, "
            "so that (n_windows - 1) x step_share + test_share + validation_share + train_share is at most 1."
        )
    return [override(f"split.{key}", moment) for key, moment in found.items()]
