"""Downloading a file, only on the user's request."""

from __future__ import annotations

import hashlib
import logging
import shutil
import urllib.request
from pathlib import Path

from recsys.schema import DataError
from recsys.support.whole_files import replacing

log = logging.getLogger(__name__)


def fetch(url: str, target: Path, md5: str | None = None) -> None:
    """Download a file and check it; `target` appears only if the file is complete and its checksum is right.

    Args:
        url: The file's URL.
        target: The path to write.
        md5: Its checksum; None takes the one published as `<url>.md5`.

    Raises:
        DataError: If it cannot be reached, or its checksum differs.
        StoreError: If it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    log.info("Fetching %s", url)
    with replacing(target) as unfinished:
        try:
            expected = md5 or _published_md5(f"{url}.md5")
            with urllib.request.urlopen(url, timeout=60) as response, unfinished.open("xb") as file:
                shutil.copyfileobj(response, file, 1 << 20)
        except OSError as error:
            raise DataError(f"data.download: {url} cannot be fetched ({error}); put it at {target} by hand.") from error
        with unfinished.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        if found != expected.lower():
            raise DataError(f"data.md5: {url} has {found}, expected {expected}; it is damaged or another release.")


def _published_md5(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as response:
        words = response.read(1000).decode().replace("=", " ").split()
    sums = [word for word in words if len(word) == 32]
    if not sums:
        raise DataError(f"data.md5: {url} publishes no checksum; give it as data.md5.")
    return sums[0]
