"""Controls of a study: each cell of a pair with the settings that the search of the other found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, starmap
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recsys.config.overrides import text
from recsys.schema import ConfigError
from recsys.studies.cell_space import CellSpace
from recsys.studies.plan import PlannedCell, names_of_all, retuned
from recsys.support.near_names import nearest
from recsys.tracking.study_record import LISTED, cell_label

KEY = "study.same_settings"


@dataclass(frozen=True)
class Searched:
    """A cell after its search.

    Attributes:
        planned: The cell, without tuned parameters.
        space: Its search space.
        parameters: The best parameters, written as in an override.
        made: The cell with these parameters.
    """

    planned: PlannedCell
    space: CellSpace
    parameters: Mapping[str, str]
    made: PlannedCell


@dataclass(frozen=True)
class Control:
    """A cell with the settings of another.

    Attributes:
        planned: The cell, without tuned parameters; its label names the other cell.
        parameters: Its own best parameters, where those that the other's search has too are the other's.
        made: The cell with these parameters.
    """

    planned: PlannedCell
    parameters: dict[str, str]
    made: PlannedCell


def check_pairs(cfg: DictConfig, cells: Sequence[PlannedCell], spaces: Sequence[CellSpace]) -> None:
    """Check `study.same_settings` before the first trial.

    Raises:
        ConfigError: If it is no list of pairs of labels, there is no search, or the searches of a pair share no key.
    """
    pairs = cfg.study.same_settings
    if pairs is None:
        return
    plain = _plain(pairs)
    if not isinstance(plain, list) or not all(map(_is_pair, plain)):
        raise ConfigError(f"{KEY} is {plain!r}; expected pairs of labels such as [[cf,bert+cf]].")
    twice = next((pair for pair in plain if [sorted(own) for own in plain].count(sorted(pair)) > 1), None)
    if twice is not None:
        raise ConfigError(f"{KEY} has the pair of {' and '.join(twice)} twice: leave one of them out.")
    if not cfg.search.n_trials:
        raise ConfigError(f"{KEY} exchanges the settings that searches find: choose a search, as in search=tpe.")
    by_name = {planned.name: space for planned, space in zip(cells, spaces, strict=True)}
    for one, other in plain:
        absent = [label for label in (one, other) if label not in by_name]
        names = list(dict.fromkeys(names_of_all(cfg))) if absent else []
        unknown = next((label for label in absent if label not in names), None)
        if unknown is not None:
            hint = nearest(unknown, names) or "."
            raise ConfigError(f"{KEY} has {unknown!r}; expected labels of cells: {', '.join(names)}{hint}")
        if not absent and not set(by_name[one].keys) & set(by_name[other].keys):
            raise ConfigError(f"{KEY} has {one} and {other}, whose searches have no key in common.")
    labels = {planned.label for planned in cells}
    taken = next((own.label for own in starmap(control_of, paired(cfg, cells)) if own.label in labels), None)
    if taken is not None:
        raise ConfigError(f"{KEY} makes a cell {taken!r}, which the study has already: rename that cell.")


def controls(cfg: DictConfig, searched: Sequence[Searched]) -> list[Control]:
    """Both controls of each pair of `study.same_settings`, in each window, where both cells are given.

    Raises:
        ConfigError: If a control's configuration cannot be composed.
    """
    by_label = {own.planned.label: own for own in searched}
    return [
        _control(cfg, by_label[own.label], by_label[other.label])
        for own, other in paired(cfg, [own.planned for own in searched])
    ]


def paired(cfg: DictConfig, cells: Sequence[PlannedCell]) -> list[tuple[PlannedCell, PlannedCell]]:
    """Of each control: the cell, and the cell whose settings it gets."""
    by_name = {(planned.name, planned.cell.window): planned for planned in cells}
    ordered = [ordered for pair in cfg.study.same_settings or () for ordered in permutations(map(str, pair))]
    return [
        (by_name[own, window], by_name[other, window])
        for window in dict.fromkeys(planned.cell.window for planned in cells)
        for own, other in ordered
        if (own, window) in by_name and (other, window) in by_name
    ]


def control_of(own: PlannedCell, other: PlannedCell) -> PlannedCell:
    """The cell as a control, without parameters."""
    name = f"{own.name} (settings of {other.name})"
    cell = replace(own.cell, kind=LISTED, label=name)
    return replace(own, label=cell_label(name, own.cell.window), cell=cell)


def _control(cfg: DictConfig, own: Searched, other: Searched) -> Control:
    planned, parameters = control_of(own.planned, other.planned), exchanged(own, other)
    return Control(planned, parameters, retuned(cfg, planned, parameters))


def exchanged(own: Searched, other: Searched) -> dict[str, str]:
    """The parameters of a cell that has the other's values for the keys that both searches have.

    The values are those of the other's configuration, so also where its first trial, with its own settings, was best.
    The keys of an option that the cell gets from the other, as of its loss, come from the other too.
    """
    theirs = {group: str(other.made.cfg.choices[group]) for group in other.space.groups}
    groups = {group: own.parameters[group] for group in own.space.groups if group in own.parameters}
    groups |= {group: one for group, one in theirs.items() if one in own.space.groups.get(group, {}).get("choice", ())}
    searched, keys = other.space.given(theirs), own.space.given(groups)
    mine = {key: own.parameters[key] for key in keys if key in own.parameters}
    shared = {key: text(_plain(OmegaConf.select(other.made.cfg, key))) for key in keys if key in searched}
    return {**groups, **mine, **shared}


def _is_pair(value: Any) -> bool:
    """Whether it is a list of two different texts."""
    is_list = isinstance(value, list) and all(isinstance(label, str) for label in value)
    return is_list and len(value) == 2 and value[0] != value[1]


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
