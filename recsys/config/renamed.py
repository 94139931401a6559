"""Renamed keys and modules: an old key on the command line raises an error; old records are read with new names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recsys.schema import ConfigError

# New names of keys of runs, by their old dotted names.
RUN_KEYS = {
    "batches.examples_at_once": "batches.examples_per_loop_step",
    "optimizer.lazy_share": "optimizer.lazy_max_fraction",
    "optimizer.lazy_numbers": "optimizer.lazy_min_elements",
    "ranker.measured_users": "ranker.n_diagnostic_users",
}
# The same for keys of single commands, by the name of the command's yaml.
COMMAND_KEYS = {
    "recommend": {"why": "n_reasons", "explain": "explain_method", "pool": "mmr_pool"},
    "compare": {"show": "report_metrics"},
    "update_readme": {"show": "report_metrics"},
}
# New names of modules, functions and classes in records.
PLACES = {
    "recsys.training.features": "recsys.features.item_features",
    "recsys.training.views": "recsys.features.views",
    "recsys.training.lazy_adam": "recsys.optim.lazy_adam",
    "recsys.training.losses.softmax": "recsys.training.losses.sampled_softmax",
    "recsys.language.causal": "recsys.language_models.causal",
}


def hint(key: str) -> str:
    """The end of a message about an unknown dotted key: its new name, or an empty text if it was not renamed.

    Example:
        >>> hint("optimizer.lazy_share")
        '; it is called optimizer.lazy_max_fraction now'
    """
    return f"; it is called {RUN_KEYS[key]} now" if key in RUN_KEYS else ""


def check_typed(arguments: Iterable[str], config_name: str) -> None:
    """Raise an error for old names of keys among the arguments of a command line.

    Args:
        arguments: Such as "seed=1", or options of Hydra.
        config_name: The command's yaml, such as "train".

    Raises:
        ConfigError: Naming the old key and the new one.

    Example:
        >>> check_typed(["why=3"], "train")  # a key of `recommend` alone
    """
    known = {**RUN_KEYS, **COMMAND_KEYS.get(config_name, {})}
    for argument in arguments:
        key = argument.lstrip("+~").partition("=")[0]
        if key in known:
            raise ConfigError(f"{key} is an unknown key; it is called {known[key]} now.")


def with_new_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a record, with old names replaced by new ones.

    Example:
        >>> with_new_names({"optimizer": {"_target_": "recsys.training.lazy_adam.LazyAdam", "lazy_share": 0}})
        {'optimizer': {'_target_': 'recsys.optim.lazy_adam.LazyAdam', 'lazy_max_fraction': 0}}
    """
    return {key: _renewed(value, key) for key, value in config.items()}


def new_override(override: str) -> str:
    """An override of a record, with the new name of its key.

    Example:
        >>> new_override("batches.examples_at_once=0"), new_override("seed=1")
        ('batches.examples_per_loop_step=0', 'seed=1')
    """
    key, equals, value = override.partition("=")
    return f"{RUN_KEYS.get(key, key)}{equals}{value}"


def new_place(name: str) -> str:
    """The present full name of a class or function.

    Example:
        >>> new_place("recsys.training.views.ViewFeatures"), new_place("my_package.Loss")
        ('recsys.features.views.ViewFeatures', 'my_package.Loss')
    """
    for old, new in PLACES.items():
        if name == old or name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    return name


def _renewed(value: Any, place: str) -> Any:
    """A value with new names; `place` is its dotted key."""
    if isinstance(value, Mapping):
        is_own = str(value.get("_target_", "recsys.")).startswith("recsys.")  # another package's keys are its own
        return {
            _new_key(f"{place}.{key}", key) if is_own else key: _renewed(inner, f"{place}.{key}")
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_renewed(inner, f"{place}.{number}") for number, inner in enumerate(value)]
    is_name = place.rpartition(".")[2] in ("_target_", "path")
    return new_place(value) if is_name and isinstance(value, str) else value


def _new_key(full: str, key: str) -> str:
    return RUN_KEYS[full].rpartition(".")[2] if full in RUN_KEYS else key
