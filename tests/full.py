"""The long forms of tests: `make test-all` sets the variable, and `make test` runs the short forms."""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("RECSYS_TEST_ALL") == "1"
only_full = pytest.mark.skipif(not FULL, reason="a long form: make test-all")
