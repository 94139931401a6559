"""Selection of a command's runs from the store."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from recsys.reports.selection import select_runs
from recsys.schema import ConfigError
from recsys.support.ids import ids_of_key, one_id
from recsys.tracking.names import is_name
from recsys.tracking.record import Record
from recsys.tracking.store import SHORTEST, Store


def store_of(cfg: DictConfig) -> Store:
    """The store of a command."""
    return Store(Path(cfg.runs_dir))


def one_run(cfg: DictConfig, key: str) -> Record:
    """The run that the key `run` or `other` names by its id or the beginning of its id.

    Raises:
        ConfigError: If the key is empty, or names no run or several.
    """
    store = store_of(cfg)
    if cfg[key] is None:
        raise ConfigError(f"action={cfg.action} needs {key}=<a run's id>; recsys runs lists them.")
    wanted = one_id(cfg, key)
    found = store.find(wanted) if is_name(wanted) else None
    return found or _by_beginning(wanted, key, store)


def _by_beginning(wanted: str, key: str, store: Store) -> Record:
    ids = store.abbreviated(wanted)
    record = store.find(ids[0]) if len(ids) == 1 else None
    if record is not None:
        return record
    if len(ids) > 1:
        raise ConfigError(f"{key}={wanted} is the beginning of {', '.join(ids)}; give one of them.")
    short = f"; the beginning of an id needs at least {SHORTEST} characters" if len(wanted) < SHORTEST else ""
    raise ConfigError(f"{key}={wanted} is no run in {store.root}{short}; recsys runs lists them.")


def chosen_runs(cfg: DictConfig) -> list[Record]:
    """The runs that match `select` and `tag`, tested or not.

    Raises:
        ConfigError: If the store has no run, or no run matches.
    """
    records = store_of(cfg).records()
    if not records:
        raise ConfigError(f"runs_dir={cfg.runs_dir} holds no run; make some with recsys train or recsys study.")
    return select_runs(records, ids_of_key(cfg, "select"), cfg.tag, tested_only=False)
