"""The search space of a cell: the keys that its components declare, without those that the cell sets itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from omegaconf import DictConfig

from recsys.config.compatibility import check
from recsys.config.compose import compose
from recsys.config.overrides import text
from recsys.schema import ConfigError
from recsys.studies.fixed import Fixed
from recsys.studies.space import Space, plain_space, search_space

Compose = Callable[[Sequence[str]], DictConfig]


class CellSpace:
    """The keys that a search tunes in one cell.

    The options of config groups, such as the loss, are chosen first. The other keys are those of the configuration with
    these options. So a trial whose loss needs no sampled negatives has no number of negatives.

    Args:
        overrides: Overrides of the cell.
        composed: Composes the cell with further overrides.
        further: `study.space`; see `search_space`.

    Attributes:
        fixed: The keys and options that the cell's overrides fix.
        keys: All keys that are searched.
        groups: The options that are searched, by config group.
        left_out: Keys that are declared and not searched, with the override or the reason that fixes them.
        taken_out: Keys that are declared and not searched, since `further` has null for them.

    Raises:
        ConfigError: If an entry is malformed, or two searched keys decide the same value.
    """

    def __init__(self, overrides: Sequence[str], composed: Compose, further: Mapping[str, Any] | None = None) -> None:
        entries = plain_space(further)
        self._compose, self._further = composed, {key: own for key, own in entries.items() if own is not None}
        self._nulls, self.taken_out = entries.keys() - self._further.keys(), set[str]()
        self.fixed = Fixed(overrides)
        self.left_out: dict[str, str] = {}
        self._spaces: dict[tuple[str, ...], Space] = {}
        self._made: dict[tuple[str, ...], DictConfig] = {}
        self.groups = self._open_groups()
        self.keys = list(dict.fromkeys([*self.groups, *(key for own in self._all() for key in own)]))

    def given(self, chosen: Mapping[str, Any]) -> Space:
        """The search space of the other keys, given the groups' options in `chosen`; its other keys are ignored."""
        options = tuple(f"{group}={chosen[group]}" for group in self.groups if group in chosen)
        if options not in self._spaces:
            self._spaces[options] = self._values(options)
        return self._spaces[options]

    def options(self) -> Iterator[dict[str, str]]:
        """Each combination of the groups' options."""
        choices = [[text(option) for option in entry["choice"]] for entry in self.groups.values()]
        return (dict(zip(self.groups, options, strict=True)) for options in product(*choices))

    def _composed(self, options: tuple[str, ...]) -> DictConfig:
        if options not in self._made:
            self._made[options] = self._compose(options)
        return self._made[options]

    def _all(self) -> list[Space]:
        return [self.given(options) for options in self.options()]

    def _open_groups(self) -> Space:
        cfg = self._composed(())
        declared = {key: own for key, own in search_space(cfg, self._further).items() if key in cfg.choices}
        groups = {}
        for group, entry in declared.items():
            if "choice" not in entry:
                raise ConfigError(f"the search space of {group} is {entry}; expected {{choice: [...]}} of its options.")
            if group in self._nulls:
                self.taken_out.add(group)
                continue
            options = [text(option) for option in entry["choice"]]
            fixed = self.fixed.by_choice(group) or self._by_tied_group(group, options)
            possible = [] if fixed else [option for option in options if self._is_possible(f"{group}={option}")]
            if len(possible) > 1:
                groups[group] = {"choice": possible}
            else:
                self.left_out[group] = fixed or f"{cfg.choices[group]} is its only option that fits the cell"
        return groups

    def _by_tied_group(self, group: str, options: Sequence[str]) -> str | None:
        """The cell's choice of another group that these options set too, as losses set `negatives`."""
        choices = [compose([f"{group}={option}"]).choices for option in options]
        tied = [other for other in choices[0] if len({str(own.get(other)) for own in choices}) > 1]
        return next((chosen for other in tied if (chosen := self.fixed.by_choice(str(other))) is not None), None)

    def _is_possible(self, option: str) -> bool:
        try:
            check(self._composed((option,)))
        except ConfigError:
            return False
        return True

    def _values(self, options: tuple[str, ...]) -> Space:
        cfg = self._composed(options)
        declared = {key: own for key, own in search_space(cfg, self._further).items() if key not in cfg.choices}
        reasons = {key: self.fixed.by(key) for key in declared}
        self.left_out.update({key: reason for key, reason in reasons.items() if reason is not None})
        free = {key: entry for key, entry in declared.items() if reasons[key] is None}
        self.taken_out |= free.keys() & self._nulls
        space = {key: entry for key, entry in free.items() if key not in self._nulls}
        for key in space:
            twice = next((source for source in self.fixed.sources_of(key) if source in space), None)
            if twice is not None:
                raise ConfigError(
                    f"the search space has {twice} and {key}, which takes its value from {twice}: remove one of them, "
                    f"as in study.space.{key}=null."
                )
        return space
