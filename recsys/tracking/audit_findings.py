"""The results of an audit's checks, and the file in the run's folder that keeps them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recsys.schema import RecordError
from recsys.tracking.record import Record, load_json, write_json

log = logging.getLogger(__name__)

AUDIT = "audit.json"  # in the run's folder

IS_FOUND = "found"  # there is a leak
IS_CLEAN = "clean"  # there is no leak
IS_UNKNOWN = "unknown"  # a leak can neither be shown nor excluded
IS_MEASURED = "measured"  # a number without a verdict
IS_NOT_CHECKED = "not checked"  # the check needs something that is missing; the text names it


@dataclass(frozen=True)
class Finding:
    """One line of an audit.

    Attributes:
        part: "leaks", "memory", "biases" or "shortcuts".
        check: Name of the check, in a few words.
        status: IS_FOUND, IS_CLEAN, IS_UNKNOWN, IS_MEASURED or IS_NOT_CHECKED.
        text: The result, the number of checked cases, and the next step.
        numbers: The numbers in the text, by name.
        command: Command that makes something that is missing; empty if there is none.
    """

    part: str
    check: str
    status: str
    text: str
    numbers: dict[str, float] = field(default_factory=dict)
    command: str = ""


def write_findings(folder: Path, record: Record, findings: Sequence[Finding]) -> Path:
    """Write the findings about a run into its folder.

    Raises:
        RecsysError: If the file cannot be written.
    """
    path = folder / AUDIT
    facts = {"run_id": record.run_id, "run_created": record.created}
    content: dict[str, Any] = {**facts, "findings": [asdict(each) for each in findings]}
    write_json(path, content)
    return path


def read_findings(folder: Path, record: Record) -> list[Finding] | None:
    """The findings about a run; None if it was not audited after it was made.

    A damaged file counts as no audit; a warning names it.
    """
    path = folder / AUDIT
    if not path.is_file():
        return None
    try:
        content = load_json(path)
        findings = [Finding(**each) for each in content["findings"]]
    except (RecordError, KeyError, TypeError) as error:
        log.warning("%s is damaged (%s): audit the run again", path, error)
        return None
    return findings if content.get("run_created") == record.created else None
