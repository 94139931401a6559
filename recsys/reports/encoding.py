"""Sentences about the texts that a run's encoder read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from recsys.reports.cells import Cell
from recsys.reports.formatting import counted, listed, seconds
from recsys.tracking.record import Record

MANY_UNKNOWN = 0.01  # share of texts with unknown words above which there is a warning
TEXT_WEIGHT = "ranker.text_weight="
MANY_WITH_HTML = 0.01  # share of texts with HTML above which there is a warning
STAGES = {"train": "of users in training", "val": "of users in validation", "test": "of users in the test"}


def coverage_lines(encoding: Mapping[str, Any]) -> list[str]:
    """A sentence for each kind of text that was encoded; none if the encoder reads no text.

    Example:
        >>> coverage_lines({"n_texts": 3, "n_empty": 1, "n_duplicate": 0, "n_cut": 0, "dim": 8, "seconds": 1.0})
        ['Texts of items: 3; 1 empty, 0 repeated, 0 cut; encoded in 1.0 s.']
    """
    if not encoding.get("dim"):
        return []
    users: Mapping[str, Mapping[str, Any]] = encoding.get("users", {})
    return [f"Texts of items: {_read(encoding)}."] + [
        f"Texts {STAGES[stage]}: {_read(report)}; {report['n_nothing_known']:,} of {report['n_read']:,} reads are "
        "of the empty text."
        for stage, report in users.items()
    ]


def coverage_warnings(encoding: Mapping[str, Any]) -> list[str]:
    """Warnings about texts that the encoder could not read; none if the encoder reads no text."""
    if not encoding.get("dim"):
        return []
    users: Mapping[str, Mapping[str, Any]] = encoding.get("users", {})
    reports = {"of items": encoding, **{STAGES[stage]: report for stage, report in users.items()}}
    return [sentence for kind, report in reports.items() for sentence in _warnings(kind, report)]


def run_warnings(record: Record) -> list[str]:
    """All warnings of one run: those of its record, and those about its texts."""
    return [*record.warnings, *coverage_warnings(record.encoding)]


def cell_warnings(cells: Sequence[Cell]) -> list[str]:
    """The warnings about texts of all cells' runs, each once, after the labels of its cells."""
    found = _by_sentence(cells, coverage_warnings)
    return [*(f"{listed(labels)}: {sentence}" for sentence, labels in found.items()), *_untuned_weights(cells)]


def vector_origins(cells: Iterable[Cell]) -> list[str]:
    """A sentence for each file of precomputed vectors, with its provenance and the labels of its cells."""
    found = _by_sentence(cells, lambda encoding: [words for _, words in _provenance(encoding)])
    return [f"{', '.join(labels)}: precomputed {words}." for words, labels in found.items()]


def _untuned_weights(cells: Iterable[Cell]) -> Iterator[str]:
    """A warning for cells that weight their text by the default of `ranker.text_weight`."""
    found: dict[float, list[str]] = {}
    for cell in cells:
        record = cell.records[0]
        weight = record.config.get("ranker", {}).get("text_weight", 0.0) if record.encoding.get("dim") else 0.0
        is_chosen = record.tuning.get("trials") or any(one.startswith(TEXT_WEIGHT) for one in record.overrides)
        if weight > 1 and not is_chosen:  # a weight of at most 1 is a share
            found.setdefault(weight, []).append(cell.label)
    for weight, labels in found.items():
        yield (
            f"{listed(labels)}: {TEXT_WEIGHT}{weight:g} is the default. With a weight that does not fit the data, text "
            f"can be worse than none: try others, as in {TEXT_WEIGHT}1,10,100 -m, or search it."
        )


def _by_sentence(
    cells: Iterable[Cell], sentences: Callable[[Mapping[str, Any]], Iterable[str]]
) -> dict[str, list[str]]:
    """The labels of the cells whose runs have a sentence, by sentence."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        for sentence in dict.fromkeys(one for record in cell.records for one in sentences(record.encoding)):
            found.setdefault(sentence, []).append(cell.label)
    return found


def _read(report: Mapping[str, Any]) -> str:
    counts = [f"{report['n_empty']:,} empty", f"{report['n_duplicate']:,} repeated"]
    counts += [f"{n:,} {words}" for words, n in _unread(report)]
    told = [f"{report['n_texts']:,}", ", ".join(counts)]
    if "tokens_mean" in report:
        told.append(f"{report['tokens_mean']:.1f} tokens each, {report['tokens_max']:,} at most")
    if "likeness" in report:
        told.append(_likeness(report["likeness"]))
    told += [words for _, words in _provenance(report)]
    return "; ".join([*told, f"encoded in {seconds(report['seconds'])}"])


def _provenance(report: Mapping[str, Any], part: str = "") -> Iterator[tuple[bool, str]]:
    """For precomputed vectors: whether their origin is known, and a text about it."""
    if "provenance" in report:
        found = report["provenance"]
        words = "provenance unknown" if found is None else ", ".join(f"{key} {found[key]}" for key in found)
        yield found is not None, f"vectors{part}: {words.replace('_', ' ')}"
    for name, inner in report.get("parts", {}).items():
        yield from _provenance(inner, f" of {name}")


def _likeness(found: Mapping[str, float]) -> str:
    kept = f", {found['neighbours_kept']:.0%} of ten neighbours kept" if "neighbours_kept" in found else ""
    cosines = f"cosine {found['cosine_mean']:.3f} to float32 ({found['cosine_min']:.3f} at least)"
    return f"{cosines}{kept}, among {found['n_compared']:,} texts"


def _unread(report: Mapping[str, Any], part: str = "") -> Iterator[tuple[str, int]]:
    """Kinds and numbers of texts that an encoder, or a part of one, has not fully read."""
    names = {
        "n_missing": "without a vector in the file",
        "n_cut": "cut",
        "n_without_known_word": "without a known word",
        "n_with_unknown_word": "with an unknown word",
    }
    yield from ((f"{words}{part}", report[key]) for key, words in names.items() if key in report)
    for name, inner in report.get("parts", {}).items():
        yield from _unread(inner, f" by {name}")


def _unknown(report: Mapping[str, Any]) -> int:
    """The number of texts with words that the tokenizer, or that of a part of the encoder, does not know."""
    parts = report.get("parts", {}).values()
    return max([int(report.get("n_with_unknown_word", 0)), *map(_unknown, parts)])


def _reads_text(report: Mapping[str, Any]) -> bool:
    """Whether the encoder, or a part of it, reads the texts; precomputed vectors are found by the items' ids."""
    parts = report.get("parts", {}).values()
    return any(map(_reads_text, parts)) if parts else "provenance" not in report


def _with_mean(report: Mapping[str, Any], part: str = "") -> Iterator[tuple[int, str]]:
    """The number of items with the mean vector in place of their own, for each file that lacks some."""
    if report.get("n_missing") and report.get("identity", {}).get("missing") == "mean":
        yield report["n_missing"], part
    for name, inner in report.get("parts", {}).items():
        yield from _with_mean(inner, f" in {name}")


def _warnings(kind: str, report: Mapping[str, Any]) -> Iterator[str]:
    if _unknown(report) > MANY_UNKNOWN * report["n_texts"]:
        yield (
            f"{_unknown(report):,} of {report['n_texts']:,} texts {kind} have words that the encoder's tokenizer does "
            "not know, such as those of another language, and that it reads all alike: set encoder.weights to a model "
            "of this language, or a multilingual one."
        )
    reads_text = _reads_text(report)
    if reads_text and report.get("n_with_html", 0) > MANY_WITH_HTML * report["n_texts"]:
        yield (
            f"{report['n_with_html']:,} of {report['n_texts']:,} texts {kind} have HTML such as <br> or &amp;, which "
            "the encoder reads as words: remove it from the columns of data.items.template."
        )
    for is_known, words in _provenance(report):
        if not is_known:
            yield f"{words}: the items and the model that they were made from cannot be checked."
    for missing, part in _with_mean(report):
        yield f"{missing:,} of {report['n_texts']:,} items have no vector{part}; they all have the mean vector."
    if report.get("n_zero") and reads_text:
        yield (
            f"{counted(report['n_zero'], 'text')} {kind} with a vector of zeros: the encoder knows none of the "
            "words and cannot distinguish such texts."
        )
    elif report.get("n_zero"):
        yield f"{counted(report['n_zero'], 'item')} with a precomputed vector of zeros, which cannot be distinguished."
    if reads_text and kind == "of items" and report.get("n_empty"):
        yield f"{counted(report['n_empty'], 'item')} without text: each has the encoder's vector of the empty text."
