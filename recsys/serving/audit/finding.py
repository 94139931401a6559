"""The result of one check of an audit."""

from __future__ import annotations

from dataclasses import dataclass, field

IS_FOUND = "found"  # there is such a leak
IS_CLEAN = "clean"  # there is none
IS_UNKNOWN = "unknown"  # nothing shows that there is none
IS_MEASURED = "measured"  # a number without a verdict
IS_NOT_CHECKED = "not checked"  # the check needs something that is missing; the text names it


@dataclass(frozen=True)
class Finding:
    """One line of an audit.

    Attributes:
        part: "leaks", "memory" or "shortcuts".
        check: What was checked, in a few words.
        status: IS_FOUND, IS_CLEAN, IS_UNKNOWN, IS_MEASURED or IS_NOT_CHECKED.
        text: What was found, of how many, and what to do.
        numbers: The same as numbers, by name.
        command: That makes what is missing; empty if there is none.
    """

    part: str
    check: str
    status: str
    text: str
    numbers: dict[str, float] = field(default_factory=dict)
    command: str = ""
