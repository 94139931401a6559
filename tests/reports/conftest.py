"""Importances within reports are of small forests, and those of equal trials are computed once.

They take most of the time of a report with a search. `test_importance.py` tests the forests of their full size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from recsys.reports import importance
from recsys.reports.importance import Importance, importances
from recsys.reports.plots import search
from recsys.tracking.study_record import Trial


@pytest.fixture(scope="session", autouse=True)
def _importances_once() -> Iterator[None]:
    kept: dict[str, list[Importance]] = {}

    def once(trials: Sequence[Trial]) -> list[Importance]:
        key = repr(list(trials))
        if key not in kept:
            with pytest.MonkeyPatch.context() as small:
                small.setattr(importance, "_TREES", 8)
                small.setattr(importance, "_TREES_OF_A_RESAMPLE", 2)
                kept[key] = importances(trials)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "importances", once)
        yield
