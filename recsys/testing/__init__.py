"""Contracts of components as test classes, for tests of your own components. Needs pytest.

Each class is in a module of its own, with its test data and helpers for further tests.
"""

import pytest

KINDS = ("encoder", "profile", "ranker", "loss", "negatives", "metric", "source")
# Failed assertions of contracts then show the compared values, as those of test files do.
pytest.register_assert_rewrite(*(f"{__name__}.{kind}_contract" for kind in KINDS))
