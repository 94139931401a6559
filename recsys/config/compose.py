"""Composes configurations and builds components from them, without heavy imports."""

from __future__ import annotations

import copy
import os
import pickle
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf, open_dict

from recsys.config.errors import errors_named
from recsys.config.experiments import drop_replaced
from recsys.config.folders import conf_dir, conf_dirs, register
from recsys.config.hydra_internals import apply_values, composing_fast
from recsys.config.misplaced import misplaced
from recsys.config.overrides import home_quoted
from recsys.config.renamed import check_typed
from recsys.config.signatures import check_arguments
from recsys.config.traits import TRAITS, traits_of
from recsys.schema import ConfigError, RecsysError

__all__ = [
    "build",
    "chosen_target",
    "complete",
    "compose",
    "conf_dir",
    "copied",
    "has_likelihood",
    "is_none",
    "is_of_whole_users",
    "is_outside",
    "plain",
    "with_choices",
]

UNKNOWN = "unknown"  # the target of an option whose yaml does not state it
META_KEYS = ("search", TRAITS)  # keys of a component's yaml that are not arguments of its constructor


def compose(overrides: Sequence[str] = (), config_name: str = "train") -> DictConfig:
    """The configuration that the command line would have with these overrides.

    Example:
        >>> compose(["encoder=none", "ranker=cf"]).choices.profile
        'id'

    Raises:
        ConfigError: If an override is malformed, or has an unknown or renamed key or option.
    """
    typed = [overrides] if isinstance(overrides, str) else list(overrides)
    try:
        return compose_plainly(typed, config_name)
    except ConfigError as error:
        sentence = misplaced(typed, config_name, compose_plainly)
        if sentence is None:
            raise
        raise ConfigError(sentence) from error


def compose_plainly(overrides: Sequence[str], config_name: str) -> DictConfig:
    """The same, with the messages for misplaced keys that Hydra gives.

    Raises:
        ConfigError: As `compose`.
    """
    with errors_named():
        return _with_overrides(list(map(home_quoted, overrides)), config_name)


def _with_overrides(overrides: list[str], config_name: str) -> DictConfig:
    check_typed(overrides, config_name)
    parsed = OverridesParser.create().parse_overrides(overrides)
    chosen = tuple(override.input_line or "" for override in parsed if is_choice(override))
    cfg: DictConfig = pickle.loads(_composed(config_name, chosen, tuple(conf_dirs()), newest_change(conf_dirs())))
    apply_values([override for override in parsed if not is_choice(override)], cfg)
    with open_dict(cfg):
        cfg.overrides = overrides
    return cfg


def is_choice(override: Override) -> bool:
    """Whether an override chooses an option of a config group; all others change values."""
    key = override.key_or_group
    if isinstance(override.value(), dict):  # as in features={dim: 16}
        return False
    return override.is_sweep_override() or key.startswith("hydra") or "@" in key or _is_group(key)


def _is_group(key: str) -> bool:
    return any((folder / key).is_dir() for folder in conf_dirs())


@lru_cache(maxsize=512)
def _composed(config_name: str, chosen: tuple[str, ...], conf: tuple[Path, ...], changed_at: int) -> bytes:
    """Hydra's composition of the chosen options only, pickled: copying it is ten times as fast as copying a config.

    Reading and merging thirty files takes most of composing, and a study's runs differ in values more often than in
    options.
    """
    with _own_hydra(), initialize_config_dir(str(conf[0]), version_base="1.3"), composing_fast():
        try:
            cfg = hydra_compose(config_name, list(chosen), return_hydra_config=True)
        except ValueError as error:  # by Hydra, for an option that is not a string
            raise ConfigError(f"{' '.join(chosen)}: {error}.") from error
    cfg = with_choices(cfg, cfg.hydra.runtime.choices, chosen)
    drop_replaced(cfg, chosen, conf, lambda options: pickle.loads(_composed(config_name, options, conf, changed_at)))
    return pickle.dumps(cfg)


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Hydra's global state for one composition; the session's own state is restored afterwards."""
    register()
    singletons = GlobalHydra, VersionBase, JobRuntime
    before = {kind: copy.copy(vars(kind.instance())) for kind in singletons}
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        for kind, state in before.items():
            vars(kind.instance()).update(state)


def newest_change(folders: Sequence[Path]) -> int:
    """The time of the newest change in these folders, in nanoseconds since 1970."""
    return max(changed_at for folder in folders for changed_at in _changes(folder))


def _changes(folder: str | Path) -> Iterator[int]:
    """The times when a folder, the folders in it and their yamls changed; fast, since every composition calls it."""
    yield Path(folder).stat().st_mtime_ns
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _changes(entry.path)
            elif entry.name.endswith(".yaml"):
                yield entry.stat().st_mtime_ns


def with_choices(cfg: DictConfig, choices: Mapping[str, Any], overrides: Sequence[str]) -> DictConfig:
    """`cfg` without Hydra's own node, with the choice of each group and the overrides."""
    chosen = {group: choice for group, choice in choices.items() if "/" not in group and "@" not in group}
    with open_dict(cfg):
        cfg.pop("hydra", None)
        cfg.choices = chosen
        cfg.overrides = list(overrides)
    return cfg


def build(group: str, node: DictConfig | None, *args: Any, drop: Sequence[str] = (), **extra: Any) -> Any:
    """Build the component of a config node; None for `none`.

    Args:
        group: The node's dotted name in the configuration, for messages.
        node: Has a `_target_`; its keys `search` and `traits` are ignored.
        args: Missing arguments of a component with `_partial_: true`.
        drop: Further keys that are ignored.
        extra: Further arguments of the constructor.

    Raises:
        ConfigError: If a value is invalid for the component.
    """
    if node is None or is_none(node):
        return None
    kept = _without(OmegaConf.to_container(node, resolve=True), (*META_KEYS, *drop))
    created = OmegaConf.create(kept)
    missing = sorted(key for key in OmegaConf.missing_keys(created) if key not in extra)
    if missing:
        raise ConfigError(f"{group}.{missing[0]} has no value: set {group}.{missing[0]}=…")
    check_arguments(group, kept, types=group != "data")  # ids and names of data may look like numbers
    try:
        made = _light(instantiate(created, **extra))
    except InstantiationException as error:
        raise _config_error(group, _with_whole_key(group, error)) from error
    except (TypeError, ValueError) as error:
        raise _config_error(group, error) from error
    return complete(group, made, *args) if args else made


def complete(group: str, made: Callable[..., Any], *args: Any) -> Any:
    """Call a partial component with its missing arguments.

    Args:
        group: The node's dotted name in the configuration, for messages.
        made: The result of `build` for a node with `_partial_: true`.
        args: The missing arguments.

    Raises:
        ConfigError: If the constructor raises an error for a value.
    """
    try:
        return made(*args)
    except (TypeError, ValueError) as error:
        raise _config_error(group, error) from error


def chosen_target(group: str, option: str) -> str | None:
    """The `_target_` in an option's yaml; None for `none`, UNKNOWN if there is no such file or key.

    Example:
        >>> chosen_target("ranker", "dot")
        'recsys.rankers.dot.DotRanker'
    """
    paths = (folder / group / f"{option}.yaml" for folder in conf_dirs())
    path = next((path for path in paths if path.is_file()), None)
    return UNKNOWN if path is None else _target_in(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _target_in(path: Path, changed_at: int) -> str | None:  # noqa: ARG001 (a changed file is another entry)
    node = OmegaConf.load(path)
    return node["_target_"] if isinstance(node, DictConfig) and "_target_" in node else UNKNOWN


def copied(cfg: DictConfig) -> DictConfig:
    """A copy of a configuration, ten times as fast as its `copy` method."""
    copy_of: DictConfig = pickle.loads(pickle.dumps(cfg))
    return copy_of


def plain(node: DictConfig) -> dict[str, Any]:
    """A config node as a dictionary, with all interpolations resolved."""
    with errors_named():
        container = OmegaConf.to_container(node, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _light(made: Any) -> Any:
    """A plain partial instead of Hydra's, which checks its target at each call and so takes longer than most losses."""
    return partial(made.func, *made.args, **made.keywords) if isinstance(made, partial) else made


def _without(value: Any, keys: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, keys) for key, inner in value.items() if key not in keys}
    return value


def _with_whole_key(group: str, error: InstantiationException) -> BaseException:
    """The cause of an error; if it names a key by its nested part alone, as in vectors.rank, with the whole key."""
    cause = error.__cause__ or error
    found = re.search(r"full_key: (\S+)$", str(error))
    parents, _, part = f"{group}.{found[1] if found else ''}".rpartition(".")
    is_partly_named = bool(part) and isinstance(cause, ConfigError) and str(cause).startswith(f"{part}.")
    return ConfigError(f"{parents}.{cause}") if is_partly_named else cause


def _config_error(group: str, cause: BaseException) -> RecsysError:
    return cause if isinstance(cause, RecsysError) else ConfigError(f"{group}: {type(cause).__name__}: {cause}")


def is_none(node: DictConfig | None) -> bool:
    """Whether a group's choice is `none`, which has no target."""
    return node is None or node.get("_target_") is None


def is_of_whole_users(node: DictConfig) -> bool:
    """Whether a ranker or a loss is for user-level reconstruction."""
    return bool(traits_of(node).get("whole_users", False))


def trains_language_model(cfg: DictConfig) -> bool:
    """Whether `finetune` trains the language model of the ranker, and not the encoder."""
    return not is_none(cfg.get("finetune")) and bool(traits_of(cfg.ranker).get("finetunes", False))


def has_likelihood(node: DictConfig) -> bool:
    """Whether a ranker's scores are log probabilities, or a loss is the likelihood of the positives."""
    return bool(traits_of(node).get("likelihood", False))


def is_outside(node: DictConfig) -> bool:
    """Whether a ranker's lists are from another program, so that nothing is fitted or validated."""
    return bool(traits_of(node).get("outside", False))
