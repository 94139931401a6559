"""Contracts of components as test classes, for tests of your own components. Needs pytest.

Each class is in a module of its own, with the data of its tests and helpers for further ones.
"""

import pytest

KINDS = ("encoder", "profile", "ranker", "loss", "negatives", "metric", "source")
# A failed assertion of a contract then shows the compared values, as one of a test file does.
pytest.register_assert_rewrite(*(f"{__name__}.{kind}_contract" for kind in KINDS))
