"""Optuna's storage of a study's trials, and the locks by which workers claim them."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.schema import ConfigError, StoreError
from recsys.tracking.files import locked
from recsys.tracking.names import check_name
from recsys.tracking.secrets import redacted

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

log = logging.getLogger(__name__)

DATABASE, CLAIMS = "tuning.db", "claims"
SQLITE = "sqlite:///"
ATTEMPTS = 6  # attempts to open a database: it fails while another study creates the tables
WAIT = 60  # seconds that a worker waits while another one writes


@contextmanager
def opened(storage: str | None, folder: Path, is_new: bool = True) -> Iterator[BaseStorage]:
    """Open Optuna's storage: SQLite in the study's folder, the URL of a database, or the path of a journal file.

    Args:
        storage: `search.storage`.
        folder: Folder of the study.
        is_new: Whether the storage may lack its tables, which only one worker at a time may make.

    Raises:
        ConfigError: If the storage cannot be opened, or its file name is invalid.
        StoreError: If the storage fails while it is used.
    """
    import optuna
    from optuna.exceptions import StorageInternalError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = located(storage, folder)
    try:
        with locked(folder / CLAIMS / "storage") if is_new else nullcontext():
            made = _open(url)
    except StoreError:
        raise
    except Exception as error:  # drivers have errors of their own
        raise ConfigError(redacted(f"search.storage={storage}: {url} cannot be opened ({error}).")) from None
    try:
        yield made
    except StorageInternalError as error:
        raise StoreError(
            redacted(f"the tuning's storage {url} cannot be used ({error.__cause__ or error}).")
            + " Free disk space or choose another storage, as in search.storage=sqlite:////some/folder/tuning.db; "
            "finished trials are kept."
        ) from None
    finally:
        made.remove_session()


@contextmanager
def existing(storage: str | None, folder: Path) -> Iterator[BaseStorage | None]:
    """Open Optuna's storage for reading, which makes no file; None if its file does not exist.

    Raises:
        ConfigError: If the storage cannot be opened, or its file name is invalid.
    """
    url = located(storage, folder)
    file = url.removeprefix(SQLITE).partition("?")[0]
    if "://" not in file and not Path(file).is_file():
        yield None
        return
    with opened(storage, folder, is_new=False) as made:
        yield made


def located(storage: str | None, folder: Path) -> str:
    """The URL of a database, or the path of a journal file; relative files are in the study's folder.

    Args:
        storage: `search.storage`.
        folder: Folder of the study.

    Raises:
        ConfigError: If the name of the file, or of a folder in a relative path, is invalid.
    """
    if storage is None:
        return f"{SQLITE}{(folder / DATABASE).resolve()}"
    scheme, file = (SQLITE, storage.removeprefix(SQLITE)) if storage.startswith(SQLITE) else ("", storage)
    if not scheme and "://" in storage:
        return storage
    path, mark, options = file.partition("?") if scheme else (file, "", "")
    if path.startswith("/") or path == ":memory:":
        check_name("search.storage", path.rpartition("/")[2])
        return storage
    for part in path.split("/"):
        check_name("search.storage", part)
    return f"{scheme}{folder.resolve() / path}{mark}{options}"


def _open(url: str) -> BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if "://" not in url:
        return JournalStorage(JournalFileBackend(url))
    options = {"connect_args": {"timeout": WAIT}} if url.startswith("sqlite") else {}
    for attempt in range(ATTEMPTS - 1):
        try:
            return RDBStorage(url, engine_kwargs=options)
        except Exception as error:  # drivers have errors of their own; another study may be making the same tables
            log.debug("%s", redacted(f"opening {url} failed: {error}"))
            time.sleep(0.1 * (attempt + 1))
    return RDBStorage(url, engine_kwargs=options)


class Claims:
    """Locks on the trials of a cell, held by the workers that make them.

    The operating system releases a lock when its worker ends, even if it is killed.

    Args:
        folder: Folder of the study.
        cell: Key of the cell's tuning; see `key_of`.
    """

    def __init__(self, folder: Path, cell: str) -> None:
        self.folder, self.cell = folder / CLAIMS, cell

    def all_held(self) -> AbstractContextManager[bool]:
        """A lock under which no other worker takes a trial of the cell."""
        return locked(self.folder / f"{self.cell}-all")

    def take(self, stack: ExitStack, number: int) -> bool:
        """Take a trial until `stack` closes; False if another worker has it."""
        return stack.enter_context(locked(self.folder / f"{self.cell}-{number}", wait=False))


def key_of(*parts: str) -> str:
    """A short key, such as that of a cell's tuning: the hash of everything that its trials depend on."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
