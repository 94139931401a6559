"""Checks of the classes and servers that a run's record names, since a record may come from another person."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from recsys.config.servers import check_servers, server_of, servers_in
from recsys.schema import ConfigError
from recsys.support.custom_code.modules import is_custom

TARGET, PATH, ARGUMENTS = "_target_", "path", "_args_"
ENVIRONMENT = "RECSYS_TRUST"  # packages, servers and variables, separated by commas
LOOKUPS = tuple(
    f"hydra.utils.get_{kind}" for kind in ("class", "method", "object", "static_method")
)  # they look up their `path`

_OWN = "recsys."
_LIGHTNING = ("pytorch_lightning", "torch.optim")
# Packages whose classes a record may name, by config group.
PACKAGES: dict[str, tuple[str, ...]] = {
    "data": ("recsys.data.sources",),
    "split": ("recsys.data.splits",),
    "encoder": ("recsys.encoders",),
    "finetune": ("recsys.finetuning",),
    "features": ("recsys.features", "recsys.layers.post_processing", "recsys.layers.semantic_codes"),
    "profile": ("recsys.profiles",),
    "negatives": ("recsys.training.negatives",),
    "loss": ("recsys.training.losses",),
    "ranker": (
        "recsys.rankers",
        "recsys.language_models.causal",
        "recsys.language_models.label_endpoint",
        "recsys.language_models.token_budget",
        "recsys.data.outside_lists",
        "recsys.layers.post_processing",
        "recsys.layers.semantic_codes",
    ),
    "metrics": ("recsys.metrics",),
    "optimizer": ("recsys.optim", *_LIGHTNING),
    "trainer": ("recsys.training", *_LIGHTNING),
    "callbacks": ("recsys.training", *_LIGHTNING),
    "logger": ("recsys.tracking.wandb", "recsys.tracking.mlflow", *_LIGHTNING),
    "search": ("recsys.studies.grid", "optuna.samplers", "optuna.pruners"),
}
FUNCTIONS = (
    "recsys.training.losses",
    "recsys.tracking.wandb",
    "recsys.tracking.mlflow",
)  # where functions are components too
# Of other packages than recsys, only subclasses of these.
_BASES = (
    *("pytorch_lightning.Trainer", "pytorch_lightning.Callback", "pytorch_lightning.loggers.Logger"),
    *("pytorch_lightning.profilers.Profiler", "pytorch_lightning.strategies.Strategy"),
    *("torch.optim.Optimizer", "torch.optim.lr_scheduler.LRScheduler"),
    *("optuna.samplers.BaseSampler", "optuna.pruners.BasePruner"),
)

_trusted: set[str] = set()
_allowed: set[str] = set()  # single classes and functions, which this process registered
_own_servers: set[str] = set()  # servers and variables in configurations of this process's user


def trust(*names: str) -> None:
    """Allow records to name these packages, whose code is then executed, and these servers and variables of API keys.

    Args:
        names: Packages, such as "my_package", or "my_package.encoders" for one subpackage; servers, such as
            "https://api.openai.com"; environment variables, such as "OPENAI_API_KEY", whose values may be sent to
            trusted servers. They are trusted until Python ends.

    Raises:
        ConfigError: If a name is not a valid name of a package, server or variable.

    Example:
        >>> trust("my_package")
    """
    for name in names:
        is_package = isinstance(name, str) and all(map(str.isidentifier, name.split(".")))
        if not is_package and server_of(name) is None:
            raise ConfigError(
                f"trust: {name!r} is not the name of a package, a server or an environment variable; expected one such "
                "as my_package, https://api.openai.com or OPENAI_API_KEY."
            )
    _trusted.update(names)


def allow(*targets: str) -> None:
    """Allow records to name these classes and functions of the user, and no others of their packages."""
    _allowed.update(targets)


def allow_servers_of(config: Mapping[str, Any]) -> None:
    """Allow records to name the servers and variables of API keys in a configuration that the user gave."""
    _own_servers.update(servers_in(_leaves(config, ())))


def trusted_names() -> tuple[str, ...]:
    """What the user trusts, from `trust` and from the environment variable RECSYS_TRUST; URLs without a path."""
    named = (name.strip() for name in os.environ.get(ENVIRONMENT, "").split(","))
    return tuple(sorted({server_of(name) or name for name in _trusted.union(filter(None, named))}))


def recorded(config: Mapping[str, Any], file: Path) -> DictConfig:
    """The configuration of a record, after a check that the classes, servers and variables that it names are trusted.

    Args:
        config: The configuration of the record.
        file: The record's file, for messages.

    Raises:
        ConfigError: If it names a class, function, server or variable that is not trusted, or has an interpolation.
    """
    leaves = list(_leaves(config, ()))
    for place, value in leaves:
        key = ".".join(place)
        if isinstance(value, str) and "${" in value:
            raise ConfigError(f"{file}: config.{key} is {value!r}; expected a value, since records are resolved.")
        if place[-1] == TARGET and value is not None:
            _check(place[0], _named(config, place, value), f"{file}: config.{key}")
        if ARGUMENTS in place and str(_node(config, place[: place.index(ARGUMENTS)]).get(TARGET)).startswith(_OWN):
            raise ConfigError(
                f"{file}: config.{key} is an argument without a name ({ARGUMENTS}); expected arguments by name, "
                "since servers and variables of API keys are checked by name."
            )
    check_servers(leaves, {*trusted_names(), *_own_servers}, str(file), ENVIRONMENT)
    made = OmegaConf.create(dict(config))
    assert isinstance(made, DictConfig)
    return made


def component(group: str, target: str) -> Any:
    """The class or function of a record's target, imported; None if a record may not name it, or it does not exist."""
    packages = _of_group(group)
    if target in _allowed:
        return get_object(target)
    if not _is_in(target, (*packages, *trusted_names())):
        return None
    try:
        found = get_object(target)
    except Exception:  # Hydra's errors, and any error of a package's import
        return None
    return found if _is_component(found, packages) else None


def _check(group: str, target: object, place: str) -> None:
    if isinstance(target, str) and component(group, target) is not None:
        return
    own = str(target).partition(".")[0]
    if own == "__main__":
        raise ConfigError(
            f"{place} is {target!r}, which a notebook or script defined. Define it here too, and register it by "
            "recsys.register before the run is opened."
        )
    advice = (
        f"If you trust the package {own}, call recsys.trust({own!r}), set {ENVIRONMENT}={own}, or add trust=[{own}] to "
        "the command."
        if is_custom(own)
        else f"Expected a class of {', '.join(_of_group(group)) or 'no package'}."
    )
    missing = "cannot be imported as a class or function" if _may_be_named(group, target) else "is not trusted"
    raise ConfigError(f"{place} is {target!r}, which {missing}. Records may come from other people. {advice}")


def _named(config: Mapping[str, Any], place: tuple[str, ...], target: Any) -> Any:
    """The target, or the path that it looks up."""
    if target not in LOOKUPS:
        return target
    return _node(config, place[:-1]).get(PATH)


def _node(config: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    node: Any = config
    for key in place:
        node = node[int(key) if isinstance(node, list | tuple) else key]
    return node


def _leaves(value: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Values that are neither mappings nor lists, with the keys that lead to them; each target counts as one."""
    if place and place[-1] == TARGET:
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*place, str(key)))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _leaves(inner, (*place, str(number)))
    else:
        yield place, value


def _of_group(group: str) -> tuple[str, ...]:
    return PACKAGES.get(group, ())


def _may_be_named(group: str, target: object) -> bool:
    return isinstance(target, str) and _is_in(target, (*_of_group(group), *trusted_names()))


def _is_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _is_component(found: object, packages: tuple[str, ...]) -> bool:
    """Whether this is a class or function that is defined, and not only imported, in these or trusted packages."""
    home = getattr(found, "__module__", None)
    if not isinstance(found, type | FunctionType) or not isinstance(home, str):
        return False
    if isinstance(found, FunctionType) and "." in found.__qualname__:  # a method
        return False
    if _is_in(home, trusted_names()):
        return True
    if not _is_in(home, packages):
        return False
    if _is_in(home, ("recsys",)):
        return isinstance(found, type) or _is_in(home, FUNCTIONS)
    return isinstance(found, type) and any(map(partial(issubclass, found), _bases(home)))


def _bases(home: str) -> list[type]:
    """The classes whose subclasses a record may name, of the library that `home` belongs to."""
    library = home.partition(".")[0]
    return [get_object(name) for name in _BASES if _is_in(name, (library,))]
