"""Which parts go together is decided by what their yamls say of them, whatever the yamls are called."""

from __future__ import annotations

import pytest

import recsys
from recsys.config.compatibility import check
from recsys.schema import ConfigError


@pytest.fixture
def aliases(tmp_path, monkeypatch):
    """A user's own yamls, which are the package's by other names."""
    for name, content in {
        "loss/my_softmax": "defaults: [full_softmax, _self_]\n",
        "loss/my_gbce": "defaults: [gbce, _self_]\n",
        "negatives/everything": "defaults: [all, _self_]\n",
        "negatives/drawn": "defaults: [uniform, _self_]\n",
    }.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    monkeypatch.setenv("RECSYS_CONF", str(tmp_path))


@pytest.mark.parametrize("loss", ["full_softmax", "my_softmax"])
@pytest.mark.parametrize("negatives", ["uniform", "drawn", "popularity", "in_batch"])
def test_the_full_softmax_needs_all_items_by_whatever_name(aliases, loss, negatives):
    with pytest.raises(ConfigError, match=f"loss={loss} needs negatives=all.*, not negatives={negatives}"):
        check(recsys.compose([f"loss={loss}", f"negatives={negatives}"]))


@pytest.mark.parametrize("loss", ["gbce", "my_gbce"])
def test_gbce_needs_a_known_share_of_items(aliases, loss):
    with pytest.raises(ConfigError, match=f"loss={loss} needs .*negatives=uniform, not negatives=popularity"):
        check(recsys.compose([f"loss={loss}", "negatives=popularity"]))


@pytest.mark.parametrize(
    ("loss", "negatives"),
    [("my_softmax", "everything"), ("full_softmax", "everything"), ("my_gbce", "drawn"), ("gbce", "everything")],
)
def test_an_alias_of_negatives_fits_as_the_original(aliases, loss, negatives):
    check(recsys.compose([f"loss={loss}", f"negatives={negatives}"]))
