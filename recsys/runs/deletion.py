"""Deletion of runs: they are listed first, and deleted only with `confirm=true`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, open_dict
from rich.console import Console

from recsys.runs.choosing import chosen_runs, one_run, store_of
from recsys.runs.listing import runs_table
from recsys.schema import BusyError, ConfigError
from recsys.tracking.record import Record
from recsys.tracking.store import Store


def delete_runs(cfg: DictConfig, console: Console) -> int:
    """Delete the chosen runs, or only list them without `confirm=true`.

    Returns:
        The exit status: 1 if a run was kept because another process is making it, else 0.

    Raises:
        ConfigError: If no run is selected.
    """
    store = store_of(cfg)
    records, unfinished = _targets(cfg, store)
    if records:
        console.print(runs_table(records))
    ids = [*(record.run_id for record in records), *unfinished]
    size = sum(path.stat().st_size for run_id in ids for path in _files(store.folder(run_id)))
    what = f"{len(ids)} run{'' if len(ids) == 1 else 's'} ({size / 1e6:.1f} MB) in {store.root}"
    if not cfg.confirm:
        console.print(f"Nothing is deleted yet. confirm=true deletes {what}.", highlight=False)
        return 0
    busy = [run_id for run_id in ids if not _is_deleted(store, run_id)]
    console.print(f"Deleted {len(ids) - len(busy)} of {what}.", highlight=False)
    for run_id in busy:
        console.print(f"{run_id} is being made by another process and was kept.", style="red", highlight=False)
    return 1 if busy else 0


def _targets(cfg: DictConfig, store: Store) -> tuple[list[Record], list[str]]:
    """The chosen records, and the chosen ids that have no record (yet)."""
    if cfg.run is not None:
        return ([], [cfg.run]) if cfg.run in store.unrecorded() else ([one_run(cfg, "run")], [])
    if not cfg.select and cfg.tag is None:
        raise ConfigError("action=delete needs to know which runs: give run=<id>, select=[status:failed] or tag=<tag>.")
    unfinished = [text for text in cfg.select if text in store.unrecorded()]
    if not unfinished:
        return chosen_runs(cfg), []
    with open_dict(cfg):
        cfg.select = [text for text in cfg.select if text not in unfinished]
    return (chosen_runs(cfg) if cfg.select else []), unfinished


def _is_deleted(store: Store, run_id: str) -> bool:
    try:
        store.delete(run_id)
    except BusyError:
        return False
    return True


def _files(folder: Path) -> Sequence[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
