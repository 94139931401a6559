"""Impossible numbers of components raise an error that names the key, before any data is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import recsys
from recsys.config.compatibility import check
from recsys.config.compose import conf_dir
from recsys.experiment.rehearsal import rehearse
from recsys.schema import ConfigError

WRONG = {
    "loss.temperature=0": ["loss=infonce"],
    "loss.t=2": ["loss=gbce"],
    "negatives.alpha=-1": ["negatives=popularity"],
    "features.init_std=-1": ["features=hybrid"],
    "features.hidden_dim=-1": ["encoder=tfidf"],
    "profile.init_std=-1": ["profile=id"],
    "profile.dropout=1.5": ["profile=hstu"],
    "profile.user_dropout=1.5": ["profile=recurrent"],
    "ranker.init_std=-1": ["ranker=lightgcn"],
    "ranker.max_hidden=-5": ["ranker=neumf"],
    "ranker.dropout=1.0": ["ranker=two_tower"],
}


@pytest.mark.parametrize(("override", "others"), WRONG.items())
def test_an_impossible_number_is_reported_before_data_is_read(override, others):
    key, _, value = override.partition("=")
    cfg = recsys.compose(["ranker=dot", *others, override])
    with pytest.raises(ConfigError, match=rf"^{key} is {value}; expected a (finite|whole) number "):
        rehearse(cfg)


def test_a_callback_without_a_class_is_an_error():
    with pytest.raises(ConfigError, match=r"^callbacks\.early_stopping has no _target_; expected a callback with"):
        rehearse(recsys.compose(["ranker=dot", "callbacks=none", "+callbacks.early_stopping.patience=3"]))


# By group: what an option needs beside itself, and options that are checked otherwise.
GROUPS = ("loss", "negatives", "features", "profile", "ranker")
NEEDED = {"semantic_ids": ["encoder=tfidf"], "views": ["encoder=tfidf"], "generative": ["encoder=tfidf"]}
NEEDED |= {"multinomial": ["ranker=multvae"], "likelihood": ["ranker=generative", "encoder=tfidf"]}
APART = ("none", "lists", "distil", "prompt")
OPTIONS = [path for group in GROUPS for path in sorted((conf_dir() / group).glob("[!_]*.yaml"))]


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in OPTIONS if path.stem not in APART], ids=lambda path: path.stem)
def test_every_number_of_a_component_is_checked(path):
    group, option = path.parent.name, path.stem
    first = [] if group == "ranker" else ["ranker=dot"]
    chosen = [*first, *NEEDED.get(option, []), f"{group}={option}"]
    node = OmegaConf.to_container(recsys.compose(chosen)[group], resolve=True)
    for key in numbers(node):
        cfg = recsys.compose([*chosen, f"{group}.{key}=-1"])
        with pytest.raises(ConfigError, match=rf"^{group}\.{key} is -1"):
            checked(cfg)


def checked(cfg: DictConfig) -> None:
    check(cfg)
    rehearse(cfg)


def numbers(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys of a component's numbers."""
    for key, value in node.items():
        if key not in ("search", "traits") and isinstance(value, dict):
            yield from numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}"
