import pytest

from recsys.serving.audit.shares import wilson


def test_the_interval_by_hand():
    z, n, p = 1.959963984540054, 10, 8 / 10
    centre, half = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert wilson(8, 10) == pytest.approx([(centre + sign * half) / (1 + z**2 / n) for sign in (-1, 1)])
