"""The seconds of a refit."""

from __future__ import annotations

import pytest

from recsys.experiment.fitting import Fitted


@pytest.mark.parametrize(("is_fitted", "seconds"), [(False, 2.5), (True, 5.5)])
def test_a_refit_encodes_again_only_if_the_encoder_is_fitted_on_texts(is_fitted, seconds):
    report = {"identity": {"fitted": True} if is_fitted else {}, "seconds": 3.0}
    # 3 s for the items' vectors, half a second for new users' texts
    assert Fitted(None, None, report, 4, {"encode": 3.5, "fit": 2.0}).refit_seconds == seconds
