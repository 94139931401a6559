"""From a study's yaml to its cells."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from recsys.schema import ConfigError
from recsys.studies.cell_definitions import expand


def cells(**study):
    return expand(OmegaConf.create({"seeds": [0], **study}))


def test_a_grid_is_every_combination():
    made = cells(grid={"encoder": ["tfidf", "bert"], "ranker": ["dot", "cf"]})
    assert [cell.overrides for cell in made] == [
        ["encoder=tfidf", "ranker=dot"],
        ["encoder=tfidf", "ranker=cf"],
        ["encoder=bert", "ranker=dot"],
        ["encoder=bert", "ranker=cf"],
    ]
    assert {cell.kind for cell in made} == {"grid"}


def test_an_ablation_is_its_base_and_single_changes_of_it():
    made = cells(base=["ranker=cf"], changes={"no text": ["encoder=none"]}, factors={"features.dim": [8, 16]})
    assert [(cell.kind, cell.label, cell.overrides) for cell in made] == [
        ("base", "base", ["ranker=cf"]),
        ("change", "no text", ["ranker=cf", "encoder=none"]),
        ("change", "features.dim=8", ["ranker=cf", "features.dim=8"]),
        ("change", "features.dim=16", ["ranker=cf", "features.dim=16"]),
    ]


def test_a_factor_may_be_a_range():
    made = cells(factors={"learning_rate": {"low": 0.001, "high": 0.1, "log": True, "points": 3}})
    assert [cell.label for cell in made] == ["base", "learning_rate=0.001", "learning_rate=0.01", "learning_rate=0.1"]


def test_baselines_stand_beside_whatever_else_there_is():
    made = cells(common=["a=1"], baselines=[["ranker=popularity"]], cells={"mine": ["ranker=dot"]})
    assert [(cell.kind, cell.label, cell.overrides) for cell in made] == [
        ("baseline", None, ["a=1", "ranker=popularity"]),
        ("listed", "mine", ["a=1", "ranker=dot"]),
    ]


def test_only_the_grid_and_the_ablation_begin_with_the_base():
    made = cells(
        common=["a=1"],
        base=["b=2"],
        grid={"d": [3]},
        cells={"SASRec": ["experiment=sasrec"]},
        changes={"no b": ["b=null"]},
        baselines=[["ranker=popularity"]],
    )
    assert [(cell.label, cell.overrides) for cell in made] == [
        (None, ["a=1", "ranker=popularity"]),
        (None, ["a=1", "b=2", "d=3"]),
        ("SASRec", ["a=1", "experiment=sasrec"]),
        ("base", ["a=1", "b=2"]),
        ("no b", ["a=1", "b=2", "b=null"]),
    ]


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({}, "nothing to run"),
        ({"grid": {"a": [1]}, "seeds": []}, "nothing to run"),
        ({"base": ["a=1"], "cells": {"x": ["b=2"]}}, r"study\.base applies to .* only, and the study has none"),
        ({"grid": {"a": [1]}, "seeds": [1, 1]}, r"study\.seeds is \[1, 1\]; expected each seed once"),
        ({"grid": {"a": 1}}, r"study\.grid\.a is 1; expected a list of values"),
        ({"factors": {"a": []}}, r"study\.factors\.a is \[\]; expected a list"),
        ({"factors": {"a": {"low": 1}}}, r"study\.factors\.a is \{'low': 1\}; .* or a range such as \{low: 0\.001"),
        ({"changes": {"x": "a=1"}}, r"study\.changes\.x is 'a=1'; expected a list of overrides"),
        ({"baselines": ["ranker=cf"]}, r"study\.baselines is 'ranker=cf'; expected a list of overrides"),
        ({"cells": {"x": [1]}}, r"study\.cells\.x is \[1\]"),
        ({"cells": {"x": ["a=1", "+a=2"]}}, r"study\.cells\.x sets a twice"),
    ],
)
def test_a_malformed_study_is_refused_by_key(study, message):
    with pytest.raises(ConfigError, match=message):
        cells(**study)
