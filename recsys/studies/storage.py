"""Where Optuna keeps the trials of a study, and which worker has which."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
ATTEMPTS = 6  # at opening a database: studies that make its tables at the same time fail
WAIT = 60  # seconds that a worker waits for another's write


@contextmanager
def opened(storage: str | None, folder: Path) -> Iterator[BaseStorage]:
    """A storage of Optuna: SQLite in the study's folder; or a URL of a database; or the path of a journal file.

    Raises:
        ConfigError: If the database cannot be reached, or a file of the study would be outside its folder.
        StoreError: If it cannot be written while it is used.
    """
    import optuna
    from optuna.exceptions import StorageInternalError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = located(storage, folder)
    try:
        with locked(folder / CLAIMS / "storage"):
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
            + " Give it space, or another place as in search.storage=sqlite:////some/folder/tuning.db; finished trials "
            "are kept."
        ) from None
    finally:
        made.remove_session()


def located(storage: str | None, folder: Path) -> str:
    """The URL of a database, or the path of a journal file; relative files are in the study's folder.

    Args:
        storage: `search.storage`.
        folder: Of the study.

    Raises:
        ConfigError: If a relative file is no name of a file, or has such a part.
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
    """Which worker has which trial: a lock for each, which the system frees when a worker ends, however it ends.

    Args:
        folder: Of the study.
        cell: The cell's key.
    """

    def __init__(self, folder: Path, cell: str) -> None:
        self.folder, self.cell = folder / CLAIMS, cell

    def all_held(self) -> AbstractContextManager[bool]:
        """While this is held, no other worker takes a trial of the cell."""
        return locked(self.folder / f"{self.cell}-all")

    def take(self, stack: ExitStack, number: int) -> bool:
        """Take a trial until `stack` closes; False if another worker has it."""
        return stack.enter_context(locked(self.folder / f"{self.cell}-{number}", wait=False))


def key_of(*parts: str) -> str:
    """A short name for a cell's tuning: a hash of everything that its trials depend on."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
