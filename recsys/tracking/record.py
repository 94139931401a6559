"""The record of a run: everything that a report needs, as one file of strict JSON."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recsys.config.renamed import RUN_KEYS, new_override, with_new_names
from recsys.schema import RecordError
from recsys.support.whole_files import RUNS, write_atomically
from recsys.tracking.field_types import wrong_field, wrong_part
from recsys.tracking.secrets import redacted

SCHEMA_VERSION = 2  # increased when a field is removed or changes its meaning
FINISHED = "finished"
FAILED = "failed"
NAN = "nan"  # represents NaN in a configuration, as "inf" represents infinity


# Types of the values inside a record's fields that commands and reports read; they may be missing.
_PARTS: dict[str, Any] = {
    "tuning": {"trials": int, "study": str, "parameters": dict[str, Any]},
    "fitted_on": {"parts": list[str], "interactions": int, "until": str, "epochs": int | None},
    "git": {"commit": str, "dirty": bool},
    "machine": {"threads": int},
    "config": {
        **{"monitor": str, "test": bool, "test_knowledge": str, "paths": dict[str, Any], "metrics": dict[str, Any]},
        **{"data": dict[str, Any], "split": dict[str, Any], "ranker": dict[str, Any]},
    },
}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Record:
    """Settings and results of one run.

    Attributes:
        run_id: See `recsys.tracking.run_id`.
        name: A short label, such as "bert+dot" or "popularity".
        choices: The chosen option of each config group: data, split, encoder, profile, ranker, loss, …
        config: The resolved configuration; secrets are `***`, also in overrides, tuning and error.
        overrides: The command line that repeats the run.
        seed: The run's seed.
        protocol: Everything that must be equal between runs that are compared.
        tags: Free texts, such as the names of the studies that the run belongs to.
        tuning: The search that found its settings: `study`, the budget (`trials`, and `max_seconds` if it is limited)
            and the chosen `parameters`; empty for a run that was not tuned.
        data_statistics: Statistics of the data and its split.
        warnings: Sentences that every report repeats.
        versions: Versions of Python and the packages.
        git: `commit` and `dirty` of the checkout; None outside a checkout.
        machine: Platform, CPU cores, device, threads.
        times: Seconds by stage: data, encode (when the vectors were made), fit, validate, refit (with an encoding only
            if the encoder is fitted on texts), test, and their total.
        epochs: Epochs trained until validation stopped the training; None for a ranker that is not trained by epochs.
        peak_memory_mb: Peak resident memory in MB.
        parameters: Numbers of weights, `trainable` and `total`.
        code: The package's release, changes of it that moved this configuration's results, and a hash of each module
            outside the package that a component comes from.
        contents: Identities of the encoder and the language model, with hashes of the weights that they read.
        encoding: The encoder's report on the texts: coverage, truncated texts, weights.
        ranking: Measured biases of the ranker, and its `calls` of a server; empty for most.
        outside: For lists that another program made: their file and its origin, and the rows that were left out.
        teacher: For a distilled run: the teacher's `run_id` and `name`, the `pretrained` weights that it read, and
            whether it read `written` texts.
        curve: For each epoch: `epoch`, "train/loss" and the metrics of validation.
        fitted_on: The data of the tested and served model: the `parts` of the split, the number of `interactions`,
            the time of the newest (`until`), and the number of `epochs`, as validation chose it.
        metrics: Values by stage and name, as in "test/ndcg@10".
        directions: Whether higher is better, by the metric's name without stage, as in "ndcg@10".
        ranges: The least and the greatest possible value, by the same names; None for no limit.
        segments: Test metrics by segment, as in {"items=cold": {"ndcg@10": 0.1}}.
        checksums: SHA-256 of the run's files by name: the weights and the values per query. Not compared by `==`.
        status: FINISHED or FAILED.
        error: The traceback of a failed run.
        created: Time of creation, in ISO 8601, UTC.
        protocol_fingerprint: Hash of `protocol` without the data's name, as a run is found under any name of its data.
            It is computed anew from the protocol, so a stored value has no effect.
        schema_version: Version of the file's format.
    """

    run_id: str
    name: str
    choices: dict[str, Any]
    config: dict[str, Any]
    overrides: list[str]
    seed: int
    protocol: dict[str, Any]
    tags: list[str] = field(default_factory=list)
    tuning: dict[str, Any] = field(default_factory=dict)
    data_statistics: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    git: dict[str, Any] | None = None
    machine: dict[str, Any] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    epochs: int | None = None
    peak_memory_mb: float | None = None
    parameters: dict[str, int] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    contents: dict[str, Any] = field(default_factory=dict)
    encoding: dict[str, Any] = field(default_factory=dict)
    ranking: dict[str, Any] = field(default_factory=dict)
    outside: dict[str, Any] = field(default_factory=dict)
    teacher: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    fitted_on: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    directions: dict[str, bool] = field(default_factory=dict)
    ranges: dict[str, list[float | None]] = field(default_factory=dict)
    segments: dict[str, dict[str, float]] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict, compare=False)
    status: str = FINISHED
    error: str | None = None
    created: str = field(default_factory=_now)
    protocol_fingerprint: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for shown in ("config", "overrides", "tuning", "error"):
            object.__setattr__(self, shown, redacted(getattr(self, shown)))
        object.__setattr__(self, "protocol_fingerprint", fingerprint(unnamed(self.protocol)))

    @property
    def is_finished(self) -> bool:
        """Whether the run is finished."""
        return self.status == FINISHED

    def write(self, path: Path) -> None:
        """Write the record.

        Raises:
            RecsysError: If the file cannot be written.
        """
        write_json(path, {**asdict(self), "config": _strict(self.config, NAN)})

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a record.

        Raises:
            RecordError: If the file cannot be read, is damaged, or has another schema version.
        """
        content = load_json(path)
        version = content.get("schema_version")
        if version != SCHEMA_VERSION:
            raise RecordError(
                f"{path} has schema_version {version!r} and this recsys reads {SCHEMA_VERSION}: use the recsys that "
                "wrote it, or make the run again."
            )
        # Fields that records of earlier versions lack.
        added_later = (
            "ranking",
            "outside",
            "teacher",
            "fitted_on",
            "code",
            "contents",
            "directions",
            "ranges",
            "checksums",
        )
        for added in added_later:
            content.setdefault(added, {})
        known = {entry.name for entry in fields(cls)}
        wrong = sorted(known ^ content.keys())
        if wrong:
            raise RecordError(
                f"{path} is damaged: missing or unknown fields {', '.join(wrong)}. Delete it to make the run again."
            )
        for key in ("metrics", "segments", "curve", "config"):
            content[key] = _with_numbers(content[key], null=None if key == "config" else math.nan)
        if wrong_type := wrong_field(cls, content) or wrong_part(content, _PARTS):
            raise RecordError(f"{path} is damaged: {wrong_type}. Delete it to make the run again.")
        return cls(**_with_new_names(content))


def _with_new_names(content: dict[str, Any]) -> dict[str, Any]:
    """A record's content with the current names of config keys and modules."""
    tuning = dict(content["tuning"])
    if "parameters" in tuning:
        tuning["parameters"] = {RUN_KEYS.get(key, key): value for key, value in tuning["parameters"].items()}
    overrides = [new_override(text) for text in content["overrides"]]
    return {**content, "config": with_new_names(content["config"]), "overrides": overrides, "tuning": tuning}


def unnamed(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """A protocol without the name of the data, if it has a fingerprint of the data.

    Example:
        >>> unnamed({"data": "shop", "data_fingerprint": "a1", "split": "random"})
        {'data_fingerprint': 'a1', 'split': 'random'}
    """
    has_fingerprint = protocol.get("data_fingerprint") is not None
    return {key: value for key, value in protocol.items() if not (has_fingerprint and key == "data")}


def fingerprint(protocol: Mapping[str, Any]) -> str:
    """A hash of a protocol; the order of keys does not matter.

    Example:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(canonical_json(protocol).encode()).hexdigest()[:16]


def canonical_json(value: Any) -> str:
    """The same text for equal values: sorted keys, no white space, floats as Python's shortest repr.

    Example:
        >>> canonical_json({"b": float("nan"), "a": None})
        '{"a":null,"b":"nan"}'
    """
    return json.dumps(_strict(value, NAN), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file of strict JSON atomically, with `***` for secrets.

    Raises:
        RecsysError: If the file cannot be written.
    """
    text = json.dumps(_strict(redacted(content)), allow_nan=False, indent=1, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode(), RUNS)


def load_json(path: Path) -> dict[str, Any]:
    """Read a file of one JSON object.

    Raises:
        RecordError: If it cannot be read or is damaged.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged ({error}). Delete it to make the run again.") from error
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}.") from error
    if not isinstance(content, dict):
        raise RecordError(f"{path} is damaged: expected a JSON object. Delete it to make the run again.")
    return content


def _strict(value: Any, nan: str | None = None) -> Any:
    """Convert a value to strict JSON: NaN to `nan`, infinities and keys to strings, numpy scalars to Python's."""
    if isinstance(value, dict):
        return {str(key): _strict(inner, nan) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(inner, nan) for inner in value]
    if hasattr(value, "item"):
        return _strict(value.item(), nan)
    if isinstance(value, float) and not math.isfinite(value):
        return nan if math.isnan(value) else str(value)
    return str(value) if isinstance(value, Path) else value


def _with_numbers(value: Any, null: float | None) -> Any:
    """Convert strings for NaN and infinities in a JSON value back to numbers, and null to `null`."""
    if isinstance(value, dict):
        return {key: _with_numbers(inner, null) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_numbers(inner, null) for inner in value]
    if value is None:
        return null
    return float(value) if isinstance(value, str) and value in (NAN, "inf", "-inf") else value


def data_name(record: Record) -> str:
    """The data set's own name, such as that of a table, or else the chosen option of `data`."""
    name = record.protocol.get("data")
    return name if isinstance(name, str) else str(record.choices.get("data"))
