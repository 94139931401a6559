"""The origin of files that other programs made, and of language models: could they have seen the test data?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_UNKNOWN, Finding
from recsys.tracking.record import Record

LEAKS = "leaks"
PROVENANCE = "provenance"
MADE_FROM, MADE_AT, UNTIL = ("made_from", "fitted_on"), "made_at", "until"  # keys of a file's yaml
PRETRAINED = "pretrained"  # key of `record.teacher`
_CATALOGUE = "catalogue"  # weights of a model that is pretrained on the train items' texts


def origins(record: Record, test_begins: datetime | None) -> list[Finding]:
    """A finding for each file of vectors or lists that the run read, and for each language model.

    The language models of a distilled run's teacher are included.

    Args:
        record: Record of the run.
        test_begins: The time of the first test interaction, with a time zone; None if it is not known.
    """
    own, inherited = pretrained(record.config), record.teacher.get(PRETRAINED, [])
    return [
        *file_origins(record, test_begins),
        *(pretraining(weights) for weights in own),
        *(of_teacher(pretraining(weights)) for weights in inherited),
    ]


def file_origins(record: Record, test_begins: datetime | None) -> list[Finding]:
    """A finding for each file of vectors or lists that the run read; see `origins`."""
    files = {"vectors": record.encoding, "recommendation lists": record.outside}
    return [
        file_origin(kind, provenance, test_begins)
        for kind, facts in files.items()
        for provenance in _distinct(_provenances(facts))
    ]


def of_teacher(finding: Finding) -> Finding:
    """A finding about the teacher of a distilled run, marked as one."""
    return replace(finding, check=f"{finding.check}, of the teacher")


def file_origin(kind: str, provenance: Mapping[str, Any] | None, test_begins: datetime | None) -> Finding:
    """Whether a file may depend on test data, by the yaml beside it.

    - Leak: `until`, the time of the newest interaction that was read, is later than the first test interaction, or
      `made_from` (or `fitted_on`) has the word "test".
    - Clean: it was made before the first test interaction, or `made_from` (or `fitted_on`) has the word "train" or
      "training", and not "test".
    - Unknown: everything else.

    Args:
        kind: Kind of the file, for the text.
        provenance: The yaml's keys and values; None without a yaml.
        test_begins: The time of the first test interaction, with a time zone; None if the data has no times.
    """
    return Finding(LEAKS, f"origin of {kind}", *_judged(provenance, test_begins))


def _judged(provenance: Mapping[str, Any] | None, test_begins: datetime | None) -> tuple[str, str]:
    """The status and the text."""
    if provenance is None:
        return IS_UNKNOWN, "there is no yaml of their provenance beside the file"
    source = " ".join(str(provenance[key]) for key in MADE_FROM if key in provenance)
    words = set(re.findall(r"[a-z]+", source.lower()))
    made, until = (_time(provenance.get(key)) for key in (MADE_AT, UNTIL))
    if until is not None and test_begins is not None and until > test_begins:
        begins = f"the test begins at {test_begins:%Y-%m-%d}"
        return IS_FOUND, f"interactions until {provenance[UNTIL]} were read, and {begins}"
    if "test" in words:
        return IS_FOUND, f"their provenance is {source!r}"
    if made is not None and test_begins is not None and made < test_begins:
        return IS_CLEAN, f"they were made at {provenance[MADE_AT]}, before the test begins"
    if words & {"train", "training"}:
        return IS_CLEAN, f"their provenance is {source!r}"
    return IS_UNKNOWN, f"their provenance is {source!r}; write the word train in it if the test was not read"


def language_models(record: Record) -> list[str]:
    """The pretrained weights that a run, or the teacher of a distilled run, read."""
    return list(dict.fromkeys([*pretrained(record.config), *record.teacher.get(PRETRAINED, [])]))


def pretrained(config: Mapping[str, Any]) -> list[str]:
    """The pretrained language models in a run's configuration: names of weights, or of models on a server."""
    nodes = [config.get("encoder"), config.get("ranker")]
    return sorted({weights for node in nodes for weights in _weights(node)})


def pretraining(weights: str) -> Finding:
    """The finding about a language model's pretraining: unknown, since its training texts are."""
    text = f"the texts that {weights} was pretrained on are unknown; recsys audit tests what it remembers of the data"
    return Finding(LEAKS, "pretraining of the language model", IS_UNKNOWN, text)


def _weights(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        names = node.get("weights"), node.get("model") if "url" in node else None
        yield from (name for name in names if isinstance(name, str) and name != _CATALOGUE)
        for value in node.values():
            yield from _weights(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _weights(value)


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _provenances(facts: Any) -> Iterator[Mapping[str, Any] | None]:
    if isinstance(facts, Mapping):
        if PROVENANCE in facts:
            yield facts[PROVENANCE]
        for key, value in facts.items():
            if key != PROVENANCE:
                yield from _provenances(value)
    elif isinstance(facts, list | tuple):
        for value in facts:
            yield from _provenances(value)


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
