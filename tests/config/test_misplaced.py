"""A key that is typed where a command has it elsewhere: the message shows where it belongs."""

from __future__ import annotations

import pytest

import recsys
from recsys.schema import ConfigError


@pytest.mark.parametrize(
    ("config_name", "overrides", "message"),
    [
        ("study", ["seeds=[0]"], "seeds is an unknown key; did you mean search.seeds or study.seeds?"),
        ("study", ["grid.encoder=[bert]"], "grid.encoder is an unknown key; did you mean study.grid.encoder?"),
        ("study", ["n_trials=3"], "n_trials is an unknown key; did you mean search.n_trials?"),
        ("train", ["max_epochs=3"], "max_epochs is an unknown key; did you mean trainer.max_epochs?"),
        ("train", ["encodr=bert"], "encodr is an unknown key; did you mean encoder?"),  # as without the search
        (
            "study",
            ["study=sweep", "data=movielens", "data.path=my data"],
            """data is a key of a study's runs: 'study.common=["data=movielens","data.path=my data"]' sets it""",
        ),
        (
            "study",
            ["study=text_uses", "test_knowledge=train", "num_threads=1"],
            "test_knowledge and num_threads are keys of a study's runs: "
            """'study.common=["split=${study.split}","test_knowledge=train","num_threads=1"]' sets them""",
        ),
        ("study", ["study=nope", "encoder=bert"], "study=nope is not an option; expected one of ablation, "),
    ],
)
def test_the_message_shows_where_the_key_belongs(config_name, overrides, message):
    with pytest.raises(ConfigError) as refused:
        recsys.compose(overrides, config_name)
    assert str(refused.value).startswith(message)


def test_what_the_message_shows_is_accepted():
    assert recsys.compose(["study=text_uses", 'study.common=["split=${study.split}","test_knowledge=train"]'], "study")
