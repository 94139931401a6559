"""Metrics of rankers without training, compared with the run's: a model that does not beat them needs no training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys import schema
from recsys.config.compose import compose, plain
from recsys.config.overrides import override
from recsys.schema import ConfigError
from recsys.support.shell_words import shell_word
from recsys.tracking.audit_findings import IS_MEASURED, IS_NOT_CHECKED, Finding
from recsys.tracking.record import Record
from recsys.tracking.run_id import flatten

SHORTCUTS = "shortcuts"
PROTOCOL = ("data", "split", "metrics", "test_knowledge", "monitor", "paths")  # config groups and keys
LIMITS = ("trainer.limit_test_batches", "trainer.fast_dev_run", "batches.max_scores")
GROUPS = "data", "split", "metrics"
PATHS = "paths."  # locations of files; the record has resolved them
NO_TEXT = "none"  # the encoder of a run without text


@dataclass(frozen=True)
class Floor:
    """A ranker without training.

    Attributes:
        name: Name in findings.
        ranker: Option of the config group `ranker`.
        reads_text: Whether only runs with a text encoder are such a floor.
    """

    name: str
    ranker: str
    reads_text: bool = False

    def is_made_by(self, record: Record) -> bool:
        """Whether a run is of this floor's ranker."""
        has_text = record.choices.get("encoder") != NO_TEXT
        return record.choices.get("ranker") == self.ranker and (has_text or not self.reads_text)


FLOORS = (
    Floor("popularity", "popularity"),
    Floor("transitions from the last item", "transition_graph"),
    Floor("nearest texts", "itemknn", True),
)


def shortcuts(record: Record, records: Sequence[Record]) -> list[Finding]:
    """A finding for each floor: its metric and the run's, or the command that makes the floor.

    Args:
        record: The audited run.
        records: Records of the store; those of the same protocol are used.
    """
    metric = f"{schema.TEST}/{record.protocol['monitor'].partition('/')[2]}"
    comparable = [each for each in records if each.protocol_fingerprint == record.protocol_fingerprint]
    return [_floor(floor, metric, record, [each for each in comparable if floor.is_made_by(each)]) for floor in FLOORS]


def _floor(floor: Floor, metric: str, record: Record, made: Sequence[Record]) -> Finding:
    values = [each.metrics[metric] for each in made if each.is_finished and metric in each.metrics]
    own = record.metrics.get(metric)
    if not values or own is None:
        return Finding(
            SHORTCUTS, floor.name, IS_NOT_CHECKED, "no such run is in the store", command=command_of(floor, record)
        )
    value = float(np.mean(values))
    share = value / own if own else np.nan
    text = (
        f"{metric} is {value:.4f} (mean of {len(values)} run{'s' if len(values) > 1 else ''}), {share:.0%} of this "
        f"run's {own:.4f}"
    )
    return Finding(SHORTCUTS, floor.name, IS_MEASURED, text, {"floor": value, "run": own, "n_runs": len(values)})


def command_of(floor: Floor, record: Record) -> str:
    """The command that makes a floor with the protocol of a run."""
    encoder = ["encoder=tfidf"] if floor.reads_text else []
    words = [*_protocol(record), f"ranker={floor.ranker}", *encoder, f"seed={record.seed}"]
    return " ".join(["recsys train", *map(shell_word, words)])


def _protocol(record: Record) -> list[str]:
    """Overrides that give the default configuration the protocol of a run."""
    given = [each for each in record.overrides if _is_protocol(each)]
    named = {_key(each) for each in given}
    default = compose([]).choices
    chosen = {group: record.choices.get(group) for group in GROUPS}
    missing = [
        override(group, choice)
        for group, choice in chosen.items()
        if choice is not None and group not in named and choice != default[group]
    ]
    try:
        composed = dict(flatten(plain(compose([*missing, *given]))))
    except ConfigError:  # the run's options are in a config folder that is not read here
        return [*missing, *given]
    recorded = {key: value for key, value in flatten(record.config) if _is_protocol(key) and not key.startswith(PATHS)}
    changed = [override(key, value) for key, value in recorded.items() if key in composed and composed[key] != value]
    return [*missing, *given, *changed]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0].partition("@")[0]


def _is_protocol(word: str) -> bool:
    key = _key(word)
    return key in LIMITS or key.partition(".")[0] in PROTOCOL
