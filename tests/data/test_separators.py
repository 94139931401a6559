"""Each table of `data=table` may have its own separator."""

from __future__ import annotations

import pytest

import recsys
from recsys.config.compose import build
from recsys.data.sources.table import Interactions, Items, TableSource, Users
from recsys.schema import ConfigError, DataError

SEPARATORS = {"interactions": ";", "items": ",", "users": "\t"}


def shop(folder, **separators):
    (folder / "log.csv").write_text("user_id;item_id\nu;i\n")
    (folder / "items.csv").write_text("item_id,name\ni,Tea; green\n")
    (folder / "users.csv").write_text("user_id\tage\nu\t30\n")
    log = Interactions("log.csv", separator=separators.get("interactions"))
    items = Items("items.csv", template="{name}", separator=separators.get("items"))
    users = Users("users.csv", separator=separators.get("users"))
    return TableSource(str(folder), log, items, users, separator=separators.get("all"))


@pytest.mark.parametrize("separators", [SEPARATORS, {"all": ";", "items": ",", "users": "tab"}])
def test_each_table_has_its_separator(separators, tmp_path):
    data = shop(tmp_path, **separators).read()
    assert data.texts == ["Tea; green"]
    assert data.users.rows() == [("u", "30")]


def test_the_keys_are_those_of_the_configuration(tmp_path):
    shop(tmp_path)
    keys = ["data=table", f"data.path={tmp_path}", "data.interactions.file=log.csv", "data.items.file=items.csv"]
    keys += ["data.items.template='{name}'", "data.items.separator=','", "data.separator=';'"]
    assert build("data", recsys.compose(keys).data).read().texts == ["Tea; green"]


def test_an_error_names_the_key_of_the_file(tmp_path):
    with pytest.raises(DataError, match=r"set \"data\.separator=';'\"\.$"):
        shop(tmp_path).read()
    with pytest.raises(DataError, match=r"items\.csv: .* set \"data\.items\.separator=','\"\.$"):
        shop(tmp_path, all=";").read()
    with pytest.raises(ConfigError, match=r"data\.users\.separator is ''; expected the characters between columns"):
        shop(tmp_path, users="")


def test_a_separator_of_all_files_leaves_the_identity_as_it_was(tmp_path):
    assert "separator" not in shop(tmp_path).identity()["items"]
    assert shop(tmp_path, items=",").identity() != shop(tmp_path).identity()
