"""The reference of a run's record, generated from the dataclass and its docstring."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields

from recsys.tracking.record import Record

HEAD = """# Fields of a record

This page is generated from `recsys.tracking.record.Record`.
A run's record is `runs/<id>/record.json`; in Python, it is `run.record`.

| field | type | default | meaning |
| --- | --- | --- | --- |
"""


def record_reference() -> str:
    """Markdown with every field of a record: type, default and meaning."""
    meanings = _meanings(Record.__doc__ or "")
    rows = [
        f"| `{field.name}` | `{_escaped(str(field.type))}` | {_default(field)} | {meanings[field.name]} |"
        for field in fields(Record)
    ]
    return HEAD + "\n".join(rows) + "\n"


def _meanings(docstring: str) -> dict[str, str]:
    """By name, the entries under `Attributes:`, each on one line."""
    body = docstring.split("Attributes:")[1]
    entries = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", body, flags=re.MULTILINE)
    return {name: _escaped(re.sub(r"\s+", " ", text).strip()) for name, text in entries}


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _default(field: object) -> str:
    default, factory = getattr(field, "default", MISSING), getattr(field, "default_factory", MISSING)
    if factory in (list, dict):
        return "empty"
    if factory is not MISSING:
        return "set when the record is made"
    return "" if default is MISSING else f"`{default!r}`"
