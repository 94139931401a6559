"""Numbers of a configuration: of the right kind, finite and within their bounds, or an error that names the key."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole, check_wholes


@pytest.mark.parametrize("value", [2, 5, np.int64(3)])
def test_whole_numbers_within_the_bounds_pass(value):
    check_whole("k", value, 2, below=6)


@pytest.mark.parametrize("value", [1, 6, 3.0, True, "3", None, [3]])
def test_other_values_are_refused_with_the_bounds(value):
    with pytest.raises(ConfigError) as refused:
        check_whole("k", value, 2, below=6)
    assert str(refused.value) == f"k is {value!r}; expected a whole number from 2 to 5."


def test_null_is_a_whole_number_only_where_it_is_allowed():
    check_whole("k", None, 1, optional=True)
    with pytest.raises(ConfigError, match=r"^k is 0; expected a whole number of at least 1, or null for all\.$"):
        check_whole("k", 0, 1, optional=True, reason=" for all")


@pytest.mark.parametrize(
    ("bounds", "allowed", "refused", "expected"),
    [
        ({}, -3.5, float("inf"), "a finite number"),
        ({"above": 0}, 1e-9, 0, "a finite number above 0"),
        ({"at_least": 0}, 0, -1e-9, "a finite number of at least 0"),
        ({"at_least": 0, "below": 1}, 0.5, 1, "a finite number of at least 0 and below 1"),
        ({"above": 0, "at_most": 1}, 1, 1.5, "a finite number above 0 and at most 1"),
        ({"at_least": 0, "at_most": 1}, np.float32(1), 1.5, "a finite number from 0 to 1"),
        ({"above": 0, "optional": True}, None, float("nan"), "a finite number above 0, or null"),
        ({}, 1, True, "a finite number"),
        ({}, 1, "1", "a finite number"),
        ({}, 1, None, "a finite number"),
    ],
)
def test_numbers_are_checked_against_their_bounds(bounds, allowed, refused, expected):
    check_number("share", allowed, **bounds)
    with pytest.raises(ConfigError) as error:
        check_number("share", refused, **bounds)
    assert str(error.value) == f"share is {refused!r}; expected {expected}."


@pytest.mark.parametrize("values", [[], [0], [1.0], "12", 3, None])
def test_lists_have_whole_numbers_from_the_minimum_on(values):
    with pytest.raises(ConfigError) as refused:
        check_wholes("dims", values, 1, "[64, 32]")
    expected = "a list of whole numbers of at least 1, such as [64, 32]"
    assert str(refused.value) == f"dims is {values!r}; expected {expected}."


def test_a_list_may_be_empty_where_that_is_allowed():
    check_wholes("dims", (), 1, "[64]", may_be_empty=True)
    check_wholes("dims", (64, np.int64(1)), 1, "[64]")
