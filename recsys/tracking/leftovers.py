"""Removal of files that interrupted or failed commands left in a store and that no command uses."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from recsys.schema import StoreError
from recsys.support.disk import remove_abandoned
from recsys.tracking.files import is_locked, locked
from recsys.tracking.run_folder import CHECKPOINTS
from recsys.tracking.store import LOCK, PER_USER, RECORD, WEIGHTS

_OWN = {LOCK, CHECKPOINTS, PER_USER, WEIGHTS, "metrics", "tensorboard", "wandb"}  # files of a run

_tidied: set[Path] = set()


def tidy(root: Path) -> None:
    """Remove temporary files of killed processes, and folders of runs that cannot be continued; once in a process.

    Such a folder has no record, no checkpoint and only files of runs, and no process holds its lock.
    """
    place = root.absolute()
    if place in _tidied:
        return
    _tidied.add(place)
    with suppress(OSError):
        folders = [Path(entry.path) for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False)]
        for folder in folders:
            with suppress(OSError):
                _tidy_folder(folder)
        for study in (place / "studies").iterdir():
            remove_abandoned(study)


def remove_unfinished(folder: Path) -> None:
    """Remove a run's folder if the run cannot be continued; its lock must be held."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {RECORD}
    if RECORD in names or not names <= _OWN or _has_checkpoint(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a finished run, unless a process holds its lock, as with `rerun=true`."""
    if not (folder / CHECKPOINTS).is_dir():
        return
    with suppress(OSError, StoreError), locked(folder / LOCK, wait=False) as is_mine:
        if is_mine:
            shutil.rmtree(folder / CHECKPOINTS)


def _tidy_folder(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    if LOCK not in names or is_locked(folder / LOCK):
        return
    remove_abandoned(folder)
    remove_abandoned(folder / CHECKPOINTS)
    if RECORD not in names:
        with locked(folder / LOCK, wait=False) as is_mine:
            if is_mine and folder.is_dir():
                remove_unfinished(folder)


def _has_checkpoint(folder: Path) -> bool:
    """Whether the folder has a checkpoint, at any depth, that a later command continues from."""
    return any(not path.name.endswith(".damaged") for path in (folder / CHECKPOINTS).rglob("*") if path.is_file())
