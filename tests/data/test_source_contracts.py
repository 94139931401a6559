"""Every yaml of conf/data is a source that keeps its contract."""

from __future__ import annotations

import pytest
from malformed.layouts import LAYOUTS

from recsys.config.compose import build, compose, conf_dir
from recsys.testing.source_contract import SourceContract

NAMES = sorted(path.stem for path in (conf_dir() / "data").glob("[!_]*.yaml"))
# The files of one layout for each yaml; a source without files has none.
FILES = {layout.keys[0].removeprefix("data="): layout for layout in reversed(LAYOUTS)}
SIZES = {"synthetic": ["data.n_users=30", "data.n_items=40", "data.n_interactions=200"]}


class TestSources(SourceContract):
    @pytest.fixture(autouse=True, params=NAMES)
    def _name(self, request):
        self.name = request.param

    def make(self, folder):
        keys = FILES[self.name].overrides(folder) if self.name in FILES else SIZES.get(self.name, [])
        return build("data", compose([f"data={self.name}", *keys], "prepare_data").data)

    def write(self, folder):
        if self.name in FILES:
            FILES[self.name].make(folder)


def test_the_yamls_without_files_are_those_that_need_none():
    assert {*NAMES} - FILES.keys() == {"movielens_small", "synthetic"}
