"""Which keys the overrides of a cell fix."""

from __future__ import annotations

import pytest

from recsys.schema import ConfigError
from recsys.studies.fixed import Fixed


@pytest.mark.parametrize(
    ("overrides", "key", "expected"),
    [
        (["features.dim=16"], "features.dim", "features.dim=16"),
        (["+features.dim=16"], "features.dim", "+features.dim=16"),
        (["features={dim: 16}"], "features.dim", "features={dim: 16}"),
        (["learning_rate=0.1"], "optimizer.lr", "learning_rate=0.1"),
        (["optimizer.lr=0.1"], "learning_rate", "optimizer.lr=0.1"),  # nothing else reads it
        (["optimizer=sgd", "learning_rate=0.1"], "optimizer.lr", "learning_rate=0.1"),
        (["features.dim=16"], "features.dropout", None),
        (["features.dim=16"], "features.dimension", None),
        (["encoder=bert"], "encoder.pooling", None),
    ],
)
def test_a_key_is_fixed_by_itself_and_by_what_it_interpolates(overrides, key, expected):
    assert Fixed(overrides).by(key) == expected


def test_an_option_fixes_the_choice_of_its_group():
    fixed = Fixed(["loss=bpr", "+encoder@encoder.parts.gpt2=gpt2", "encoder=concat", "features.dim=8"])
    assert fixed.by_choice("loss") == "loss=bpr"
    assert fixed.by_choice("encoder") == "encoder=concat"
    assert fixed.by_choice("negatives") is None


def test_two_overrides_that_decide_one_value_are_refused():
    with pytest.raises(
        ConfigError, match=r"learning_rate=0.1 and optimizer.lr=0.2 decide the same value, since optimiz"
    ):
        Fixed(["learning_rate=0.1", "optimizer.lr=0.2"])
