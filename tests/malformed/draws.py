"""Malformed command lines and data files, drawn at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from malformed.layouts import LAYOUTS, Layout
from omegaconf import OmegaConf

import recsys
from recsys.config.compatibility import check
from recsys.config.compose import conf_dir
from recsys.schema import ConfigError

TINY = ["data=synthetic", "data.n_users=40", "data.n_items=30", "data.n_interactions=300", "data.cold_user_share=0"]
GROUPS = ["encoder", "finetune", "features", "profile", "negatives", "loss", "optimizer", "ranker", "metrics", "split"]
GROUPS += ["trainer", "callbacks", "logger", "data", "search", "launcher", "study"]
COMMANDS = ["train", "study", "compare", "runs", "update_readme", "prepare_data", "evaluate", "recommend", "export"]
COMMANDS += ["pretrain", "profiles", "refit"]
NEEDED = {"train": TINY, "prepare_data": TINY, "recommend": ["user=0"], "study": ["study=demo", "dry_run=true"]}
NEEDED["update_readme"] = ["block=tiny"]
UNCHANGED = ("_target_", "_partial_", "_recursive_", "_convert_", "traits", "tuning", "trust", "search", "parameters")
UNCHANGED += ("offline",)  # takes a text or a truth value
# By the kind of a default: values that are never one of it.
WRONG: dict[type, list[str]] = {
    bool: ["maybe", "7", "[true]", "{a: 1}"],
    int: ["many", "[1]", "{a: 1}", "nan", "true"],
    float: ["large", "[0.1]", "{a: 1}", "nan", "inf", "-inf", "true"],
    str: ["[a]", "{a: 1}", "true"],
    list: ["5", "{a: 1}"],
}


@dataclass(frozen=True)
class Malformed:
    """A command that must be refused.

    Attributes:
        command: Its name.
        arguments: Of the command line.
        names: Of which the message must have one: a key, or a file and its line.
        neighbour: The same arguments without the fault.
    """

    command: str
    arguments: list[str]
    names: tuple[str, ...]
    neighbour: list[str]


def draw(rng: random.Random, folder: Path, run_id: str) -> Malformed:
    """One malformed input: of a config group, of a command's own keys, of an override's form, or a data file."""
    kind = rng.choice([_of_group, _of_group, _of_command, _of_form, _of_file, _of_file])
    return kind(rng, folder, run_id)


def _of_group(rng: random.Random, folder: Path, run_id: str) -> Malformed:
    while True:
        group = rng.choice(GROUPS)
        option = rng.choice(sorted(path.stem for path in (conf_dir() / group).glob("*.yaml") if path.stem[0] != "_"))
        command = "study" if group in ("search", "launcher", "study") else "train"
        base = [f"{group}={option}", *(TINY if command == "train" and group != "data" else [])]
        base += ["study=demo", "dry_run=true"] if command == "study" else []
        try:
            cfg = recsys.compose(base, command)
            if command == "train":
                check(cfg)
        except ConfigError:  # needs other choices
            continue
        node = OmegaConf.to_container(cfg, resolve=False)[group]
        is_given = isinstance(node, dict) and "???" not in str(node)
        leaves = list(_leaves(node, group)) if is_given else []
        if leaves:
            return _with_wrong_value(rng, command, base, *rng.choice(leaves))


def _of_command(rng: random.Random, folder: Path, run_id: str) -> Malformed:
    command = rng.choice(COMMANDS)
    base, leaves = _keys_of(command, run_id)
    return _with_wrong_value(rng, command, base, *rng.choice(leaves))


def every_key(command: str, run_id: str) -> list[Malformed]:
    """A wrong value, or a misspelt name, for each key of a command."""
    base, leaves = _keys_of(command, run_id)
    return [_with_wrong_value(random.Random(n), command, base, *leaf) for n, leaf in enumerate(leaves)]


def _keys_of(command: str, run_id: str) -> tuple[list[str], list[tuple[str, Any]]]:
    """What the command needs, and its own keys with their defaults."""
    base = [f"run={run_id}"] if command in ("evaluate", "recommend", "export", "profiles", "refit", "audit") else []
    base += {
        "train": TINY,
        "prepare_data": TINY,
        "recommend": ["user=0"],
        "update_readme": ["block=tiny"],
        "study": ["study=demo", "dry_run=true"],
        "answer": ["dry_run=true"],
        "write": ["prompt=item_facts", "dry_run=true"],
        "score": ["file=lists.csv"],
        "semantic_ids": ["encoder=tfidf"],
    }.get(command, [])
    cfg = OmegaConf.to_container(recsys.compose(base, command), resolve=False)
    given = {argument.partition("=")[0] for argument in base}
    groups = {*cfg["choices"]} - {"user_examples"}  # which no component is built from
    own = {key: value for key, value in cfg.items() if key not in (*groups, "choices", "overrides", "paths")}
    return base, [(key, value) for key, value in _leaves(own, "") if key not in given] or [("trust", [])]


def _of_form(rng: random.Random, folder: Path, run_id: str) -> Malformed:
    """Overrides that cannot be read, or name what there is not."""
    group = rng.choice(GROUPS[:12])
    forms = {
        f"{group}=nosuch": group,
        f"{group}.nosuch=1": f"{group}.nosuch",
        f"+{group}s.a=1": f"{group}s",
        "seed=[1": "seed",
        "seed={": "seed",
        "seed=${nosuch}": "seed",
        "~nosuch": "nosuch",
        "nosuch=1": "nosuch",
        "seed==1": "seed",
        "+seed=1": "seed",
        f"paths.runs_dir={folder}/file/x": "file",
    }
    argument, name = rng.choice(sorted(forms.items()))
    return Malformed("train", [*TINY, argument], (name,), TINY)


def _of_file(rng: random.Random, folder: Path, run_id: str) -> Malformed:
    layout: Layout = rng.choice(LAYOUTS)
    place = folder / f"{rng.randrange(10**9)}"
    good, bad = place / "good", place / "bad"
    layout.write(good)
    layout.write(bad)
    names = layout.damage(bad, rng)
    return Malformed("prepare_data", layout.overrides(bad), names, layout.overrides(good))


def _with_wrong_value(rng: random.Random, command: str, base: list[str], key: str, value: Any) -> Malformed:
    if rng.random() < 0.2:
        node, _, last = key.rpartition(".")
        unknown = f"{node}.{last}x" if node else f"{last}x"
        return Malformed(command, [*base, f"+{unknown}=1"], (unknown,), base)
    wrong = rng.choice(WRONG[type(value)])
    last = key.rpartition(".")[2]
    names = (key, f"{last}=", f"'{last}'")  # an error of another library has its own way to name it
    return Malformed(command, [*base, f"{key}={wrong}"], names, base)


def _leaves(node: dict[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    """Keys with plain defaults whose kind is known; interpolations and missing values have none."""
    for key, value in node.items():
        name = f"{place}.{key}" if place else str(key)
        if key in UNCHANGED or not str(key).isidentifier():
            continue
        if isinstance(value, dict):
            yield from _leaves(value, name)
        elif type(value) in WRONG and not (isinstance(value, str) and ("${" in value or value == "???")):
            yield name, value
