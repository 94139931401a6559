"""A paragraph on methods for a paper, and BibTeX entries of the used components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from recsys.reports.cells import has_own_settings, trials_of
from recsys.reports.comparison import Comparison, Row
from recsys.reports.corrections import NAMES
from recsys.reports.encoding import vector_origins
from recsys.reports.formatting import metric_name, percent, seconds
from recsys.reports.tables import has_intervals
from recsys.tracking.study_record import StudyRecord

_GROUPS = ("data", "encoder", "features", "profile", "ranker", "loss")
_PACKAGES = ("recsys", "python", "torch", "pytorch-lightning", "transformers", "scikit-learn")
_KNOWLEDGE = {
    "refit": "After the choice on the validation part, each model was fitted again on train and validation "
    "interactions together, and then tested.",
    "train": "Models and histories contain train interactions only; validation interactions are excluded from the "
    "test's rankings.",
}


def methods(comparison: Comparison, study: StudyRecord | None = None) -> str:
    """A paragraph of plain text: data, split, knowledge, search, seeds, metrics, tests and versions."""
    sentences = [
        *_data(comparison),
        *_search(comparison, study),
        *([] if study is None else study.warnings),
        *_scores(comparison),
        *_tests(comparison),
        *_versions(comparison),
    ]
    return " ".join(sentences)


def bibliography(comparison: Comparison) -> str:
    """BibTeX entries of the papers about the used components, packages and corrections; empty without any.

    The entries are those of `references.yaml`; a component that is not in it has none.
    """
    used = set(_used(comparison))
    found = {key: entry for key, entry in _references().items() if used & set(entry["of"])}
    return "\n".join(_entry(key, entry) for key, entry in found.items())


def _data(comparison: Comparison) -> Iterator[str]:
    record = comparison.records[0]
    protocol, statistics = comparison.protocol, record.data_statistics
    sizes = [f"{statistics[name]:,} {name}" for name in ("users", "items", "interactions") if name in statistics]
    yield f"We used the data set {_name(protocol, 'data')}{f' ({_joined(sizes)})' if sizes else ''}."
    parts = statistics.get("parts")
    shares = []
    if isinstance(parts, dict):
        shares = [f"{own['interactions']:,} {name}" for name, own in parts.items() if "interactions" in own]
    split = f"The split {_name(protocol, 'split')}"
    yield f"{split} gives {_joined(shares)} interactions." if shares else f"{split} was used."
    yield from vector_origins(row.cell for row in comparison.rows)
    knowledge = _KNOWLEDGE.get(str(protocol.get("test_knowledge")))
    if knowledge:
        yield knowledge


def _search(comparison: Comparison, study: StudyRecord | None) -> Iterator[str]:
    known = {} if study is None else {cell.name: len(cell.trials) for cell in study.cells}
    searched = [row.label for row in comparison.rows if known.get(row.label) or _is_changed(row)]
    others = [row.label for row in comparison.rows if row.label not in searched]
    if not searched:
        yield "No hyperparameters were tuned."
        return
    of_runs = trials_of([row.cell for row in comparison.rows])
    trials = sorted({known.get(label) or of_runs[label] for label in searched})
    sampler = {} if study is None else study.search.get("sampler")
    name = str(sampler.get("_target_", "")).rpartition(".")[2] if isinstance(sampler, dict) else str(sampler or "")
    budget = f"{trials[0]}" if len(trials) == 1 else f"{trials[0]} to {trials[-1]}"
    yield (
        f"Hyperparameters were tuned on the validation part with {budget} trials{_limit(study)} for each tuned cell"
        f"{f' (sampler {name})' if name else ''}."
    )
    if others:
        # Without the study's record, a cell with nothing to tune looks like one whose first trial was the best.
        yield f"{'Not tuned, or best with their own settings' if study is None else 'Not tuned'}: {_joined(others)}."


def _limit(study: StudyRecord | None) -> str:
    limit = None if study is None else study.search.get("max_seconds")
    return "" if limit is None else f", none of which began after {seconds(limit)} of computing,"


def _is_changed(row: Row) -> bool:
    """Whether a search changed the settings of a cell's runs."""
    return any(not has_own_settings(record) for record in row.cell.records)


def _scores(comparison: Comparison) -> Iterator[str]:
    candidates = comparison.protocol.get("candidates")
    among = f"; candidates: {candidates}" if candidates else ""
    yield f"We report {_joined([metric_name(metric) for metric in comparison.metrics])} on the test part{among}."
    seeds = comparison.seeds
    yield (
        f"Values are means over {comparison.n_users:,} users and {len(seeds)} seed{'s' if len(seeds) > 1 else ''} "
        f"({', '.join(map(str, seeds))})."
    )


def _tests(comparison: Comparison) -> Iterator[str]:
    inference = comparison.inference
    covers = "users and seeds" if len(comparison.seeds) > 1 else "users"
    if has_intervals(comparison):
        yield f"Intervals have a nominal coverage of {percent(comparison.level)} over {covers}."
    if any(map(comparison.n_comparisons, comparison.metrics)):
        yield (
            f"Differences from {comparison.baseline} are tested by a {comparison.test_name}, with "
            f"{NAMES[inference.correction]}'s correction; p < {inference.alpha:g} is significant."
        )


def _versions(comparison: Comparison) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for record in comparison.records:
        versions = {**record.versions, "recsys": record.code.get("recsys")}  # records keep this version with the code
        for name in _PACKAGES:
            if versions.get(name) is not None and str(versions[name]) not in found.setdefault(name, []):
                found[name].append(str(versions[name]))
    if found:
        listed = [f"{name} {' and '.join(own)}" for name, own in found.items()]
        yield f"Software: {', '.join(listed)}."


def _used(comparison: Comparison) -> Iterator[str]:
    for record in comparison.records:
        yield from (f"{group}/{record.choices[group]}" for group in _GROUPS if record.choices.get(group))
        yield from (f"versions/{name}" for name in record.versions)
    yield f"correction/{comparison.inference.correction}"


def _name(protocol: dict[str, Any], key: str) -> str:
    """A name in a protocol, which is the value itself or in a mapping with a fingerprint."""
    value = protocol.get(key)
    return str(value.get("name") if isinstance(value, dict) else value)


def _joined(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _entry(key: str, entry: dict[str, Any]) -> str:
    fields = "".join(f"  {name} = {{{value}}},\n" for name, value in entry.items() if name not in ("of", "type"))
    return f"@{entry['type']}{{{key},\n{fields}}}\n"


@cache
def _references() -> dict[str, dict[str, Any]]:
    text = (files("recsys.reports") / "references.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return found
