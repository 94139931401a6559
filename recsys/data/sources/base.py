"""The base class of data sources."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from recsys.data.dataset import Dataset


class Source(ABC):
    """Reads raw files into a `Dataset`; constructed from configuration values only, without reading files.

    Attributes:
        name: The data set's name, for reports.
    """

    name: str

    @abstractmethod
    def files(self) -> list[Path]:
        """The raw files that the content depends on, in a fixed order; none for generated data.

        Raises:
            DataError: If one does not exist; the message names the configuration's key.
        """

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """The parameters that the content depends on besides the files' content, without paths, as plain values."""

    @abstractmethod
    def read(self) -> Dataset:
        """The data set.

        Raises:
            DataError: If a file is malformed; the message names file, line, column, the found and the expected value.
        """
