"""The config keys that a cell's overrides fix: the keys that they set, and those that interpolate these."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from recsys.config.compose import compose, is_choice
from recsys.schema import ConfigError
from recsys.tracking.run_id import flatten

_INTERPOLATION = re.compile(r"\$\{(?:oc\.select:)?(\.*)([\w@.]+)\s*[,}]")


class Fixed:
    """The config keys and group options that the overrides of a cell fix.

    Choosing a group's option (`loss=bpr`, `encoder=bert`) fixes that choice, and no key of the option. Setting a key
    (`learning_rate=0.01`) fixes it, the keys below it, and the keys that interpolate it (`optimizer.lr`).

    Args:
        overrides: Overrides of the cell.

    Attributes:
        groups: The override that chooses an option, by group.
        keys: The override that sets a key, by key.

    Raises:
        ConfigError: If two overrides set the same value.

    Example:
        >>> fixed = Fixed(["encoder=bert", "learning_rate=0.01"])
        >>> fixed.by("optimizer.lr"), fixed.by("encoder.pooling"), fixed.by_choice("encoder")
        ('learning_rate=0.01', None, 'encoder=bert')
    """

    def __init__(self, overrides: Sequence[str]) -> None:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        choices = [override for override in parsed if is_choice(override)]
        self.groups = {override.get_key_element().lstrip("+~"): str(override.input_line) for override in choices}
        self.keys = {o.key_or_group: str(o.input_line) for o in parsed if not is_choice(o)}
        self._sources = _sources([str(override.input_line) for override in choices])
        self._check()

    def by_choice(self, group: str) -> str | None:
        """The override that chooses the group's option, or None."""
        return self.groups.get(group)

    def by(self, key: str) -> str | None:
        """The override that decides the key's value, or None."""
        for source in (key, *self.sources_of(key)):
            found = next((text for set_key, text in self.keys.items() if _meets(source, set_key)), None)
            if found is not None:
                return found
        return self._by_users_of(key)

    def sources_of(self, key: str) -> list[str]:
        """The keys that the key's value in the yamls interpolates, directly or indirectly."""
        found: dict[str, None] = {}
        left = [key]
        while left:
            for source in self._sources.get(left.pop(), ()):
                if source not in found:
                    found[source] = None
                    left.append(source)
        return list(found)

    def _by_users_of(self, key: str) -> str | None:
        """The override that leaves a run-level key, such as `learning_rate`, without any key that reads it."""
        users = [user for user in self._sources if "." not in key and key in self.sources_of(user)]
        deciding = [next((text for k, text in self.keys.items() if _meets(user, k)), None) for user in users]
        return deciding[0] if deciding and None not in deciding else None

    def _check(self) -> None:
        for key, text in self.keys.items():
            other = next((o for s in self.sources_of(key) for k, o in self.keys.items() if _meets(s, k)), None)
            if other is not None:
                raise ConfigError(
                    f"{other} and {text} decide the same value, since {key} takes it from {other.split('=')[0]}: "
                    "leave one of them out."
                )


def _meets(key: str, set_key: str) -> bool:
    """Whether setting one key sets the other, or a part of it."""
    return key == set_key or key.startswith(f"{set_key}.") or set_key.startswith(f"{key}.")


def _sources(choices: Sequence[str]) -> Mapping[str, list[str]]:
    """The keys that each value interpolates in a configuration with these choices alone."""
    container = OmegaConf.to_container(compose(choices), resolve=False)
    assert isinstance(container, dict)
    leaves = flatten({str(key): value for key, value in container.items()})
    found = {key: list(_interpolated(key, value)) for key, value in leaves if isinstance(value, str) and "${" in value}
    return {key: sources for key, sources in found.items() if sources}


def _interpolated(key: str, value: str) -> Iterable[str]:
    for dots, name in _INTERPOLATION.findall(value):
        parents = key.split(".")[: -len(dots)] if dots else []
        yield ".".join([*parents, name])
