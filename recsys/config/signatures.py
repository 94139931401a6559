"""Checks of a config node's keys and values against the signature of its `_target_`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from hydra.utils import get_object

from recsys.config.value_checks import check_keys
from recsys.schema import ConfigError
from recsys.support.number_checks import is_number, is_whole

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_RESERVED = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")


# Keys that a constructor passes on to another function, with their types, by the constructor's full name.
PASSED_ON: dict[str, dict[str, str]] = {
    "pytorch_lightning.loggers.tensorboard.TensorBoardLogger": {
        "purge_step": "int | None",
        "max_queue": "int",
        "flush_secs": "int",
        "filename_suffix": "str",
    },
    "recsys.tracking.wandb.make_logger": {
        **dict.fromkeys(["name", "entity", "notes", "id", "fork_from", "resume_from"], "str | None"),
        **dict.fromkeys(["config_exclude_keys", "config_include_keys"], "list | None"),
        **dict.fromkeys(["allow_val_change", "force", "save_code", "monitor_gym", "sync_tensorboard"], "bool | None"),
        "config": "Mapping | None",
    },
}


KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "int": (is_whole, "a whole number"),
    "float": (is_number, "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "None": (lambda value: value is None, "null"),
    "Sequence": (lambda value: isinstance(value, list), "a list"),
    "list": (lambda value: isinstance(value, list), "a list"),
    "Mapping": (lambda value: isinstance(value, dict), "keys with values"),
    "torch.Tensor": (lambda _: False, ""),  # cannot be written in a configuration
}


def check_arguments(group: str, node: Mapping[str, Any], ignored: tuple[str, ...] = (), types: bool = True) -> None:
    """Raise an error for arguments that a component's constructor does not have, or of a wrong type.

    Args:
        group: The node's dotted name in the configuration, for messages.
        node: Has a `_target_`; nested nodes are checked too.
        ignored: Keys that are not arguments of the constructor.
        types: Whether to check types beside names.

    Raises:
        ConfigError: With the key, the value and the expected values.
    """
    target = node.get("_target_")
    parameters = _parameters(str(target)) if target is not None else None
    own = {key: value for key, value in node.items() if key not in (*_RESERVED, *ignored)}
    if parameters is not None:
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in parameters.values()):
            check_keys(group, own, parameters)
        for key, value in own.items() if types else ():
            if key in parameters:
                _check_type(f"{group}.{key}", value, parameters[key].annotation)
    for key, value in own.items():
        if isinstance(value, Mapping):
            check_arguments(f"{group}.{key}", value, ignored, types)


def _parameters(target: str) -> Mapping[str, inspect.Parameter] | None:
    """A constructor's parameters by name; None if they are unknown."""
    try:
        made = get_object(target)
        found = dict(inspect.signature(made).parameters)
        bases = made.__mro__[1:] if isinstance(made, type) and made.__module__.startswith("recsys.") else ()
        for base in bases:  # whose constructors get the arguments of **kwargs
            further = [name for name, parameter in found.items() if parameter.kind == parameter.VAR_KEYWORD]
            if further and "__init__" in vars(base) and base is not object:
                del found[further[0]]
                found = {**inspect.signature(vars(base)["__init__"]).parameters, **found}
        passed_on = PASSED_ON.get(f"{made.__module__}.{made.__qualname__}")
        if passed_on is not None:
            found = {name: own for name, own in found.items() if own.kind != own.VAR_KEYWORD}
            found |= {name: inspect.Parameter(name, _KEYWORD, annotation=kind) for name, kind in passed_on.items()}
    except Exception:  # the later instantiation reports a wrong target
        return None
    return found


def _check_type(key: str, value: Any, annotation: Any) -> None:
    """Raise an error for a value of a wrong type, if the annotation has only plain types."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"^Optional\[(.*)\]$", r"\1 | None", text.replace("typing.", ""))
    if re.fullmatch(r"Union\[[\w., ]*\]", text):
        text = text[len("Union[") : -1].replace(", ", " | ").replace("NoneType", "None")
    names = [re.sub(r"\[.*", "", name) for name in re.split(r"\s*\|\s*(?![^\[]*\])", text)]
    if isinstance(value, dict) and "_target_" in value:
        return
    if any(name not in KINDS for name in names):
        if isinstance(value, bool) and not re.search(r"bool|Any|object|_empty", text):
            raise ConfigError(f"{key} is {value!r}; expected {text}.")
        return
    if not any(KINDS[name][0](value) for name in names):
        expected = " or ".join(dict.fromkeys(KINDS[name][1] for name in names if KINDS[name][1]))
        raise ConfigError(f"{key} is {value!r}; expected {expected}.")
