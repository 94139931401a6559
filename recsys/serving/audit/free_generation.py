"""Texts that a language model writes after prefixes, compared with true and with made-up continuations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.serving.audit.duplicates import normalised
from recsys.serving.audit.probes import CONTINUATION, PREFIX, Probes, shape_of
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_MEASURED, IS_NOT_CHECKED, Finding

N_GRAM = 4  # length of n-grams in characters
DRAWS = 10_000  # bootstrap samples
_ROW, _PLACE, _WORD, _SHAPE, _MADE = "row", "place", "word", "shape", "made"


@dataclass(frozen=True)
class Overlaps:
    """Overlap of written texts with continuations, for n prefixes.

    Attributes:
        true: (n,) share of the true continuation's n-grams that are in the written text.
        made_up: (n,) the same for the made-up continuation.
        complete: (n,) whether the written text begins with the true continuation.
    """

    true: NDArray[np.float64]
    made_up: NDArray[np.float64]
    complete: NDArray[np.bool_]


def look_alikes(probes: Probes, seed: int) -> list[str]:
    """(n) a made-up continuation for each prefix; "" if none could be made.

    Each of its words comes from the same position of another continuation of the same shape. So the words at each
    position, such as the years at the end, are as frequent as in the true continuations. Neither a made-up continuation
    nor the line that it completes is among the true ones.

    Args:
        probes: Prefixes and true continuations.
        seed: Seed of the permutation.

    Example:
        >>> titles = ["Big Fish (2003)", "Old Man (1998)"]
        >>> made = look_alikes(Probes(np.arange(2), ["", ""], titles, np.zeros((0, 2), dtype=np.int64)), 3)
        >>> made
        ['Big Man (1998)', 'Old Fish (2003)']
    """
    table = pl.DataFrame({PREFIX: probes.prefixes, CONTINUATION: probes.continuations}).with_row_index(_ROW)
    split = pl.col(CONTINUATION).str.strip_chars().str.split(" ")
    words = table.select(
        _ROW, (shape_of(CONTINUATION) + split.list.len().cast(pl.String)).alias(_SHAPE), split.alias(_WORD)
    )
    words = words.with_columns(pl.int_ranges(pl.col(_WORD).list.len()).alias(_PLACE)).explode(_WORD, _PLACE)
    made = words.with_columns(_permuted(words, seed)).group_by(_ROW).agg(pl.col(_WORD).str.join(" ").alias(_MADE))
    begins, line = pl.col(CONTINUATION).str.extract(r"^(\s*)", 1), pl.col(PREFIX).str.split("\n").list.last()
    joined = table.join(made, on=_ROW, how="left", maintain_order="left")
    joined = joined.with_columns((begins + pl.col(_MADE)).alias(_MADE))
    true = [*probes.continuations, *joined.select(line + pl.col(CONTINUATION)).to_series()]
    is_true = pl.col(_MADE).is_in(true) | (line + pl.col(_MADE)).is_in(true)
    return joined.select(pl.when(is_true).then(pl.lit("")).otherwise(_MADE)).to_series().to_list()


def _permuted(words: pl.DataFrame, seed: int) -> pl.Series:
    """The words, in a random order among those of equal shape and position."""
    groups = words.select(pl.struct(_SHAPE, _PLACE).rank("dense")).to_series().to_numpy()
    n = len(groups)
    places, drawn = (np.lexsort((keys, groups)) for keys in (np.arange(n), np.random.default_rng(seed).random(n)))
    taken = np.empty(n, dtype=np.int64)
    taken[places] = drawn
    return words[_WORD].gather(taken)


def overlaps(written: Sequence[str], true: Sequence[str], made_up: Sequence[str]) -> Overlaps:
    """The overlap of written texts with true and made-up continuations; rows without a made-up one are omitted.

    N-grams have N_GRAM characters of a word in lower case without punctuation; a shorter word is one n-gram.

    Args:
        written: (m) texts of a language model.
        true: (m) the true continuations.
        made_up: (m) made-up continuations; "" for none.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    asked = [row for row, text in enumerate(made_up) if text]
    columns = [normalised(pl.Series(texts, dtype=pl.String)).fill_null("") for texts in (written, true, made_up)]
    own, of_true, of_made = (column.gather(asked) for column in columns)
    if not asked:
        return Overlaps(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_))
    vectorizer = CountVectorizer(analyzer="char_wb", ngram_range=(N_GRAM, N_GRAM), binary=True, lowercase=False)
    rows = csr_matrix(vectorizer.fit_transform(pl.concat([own, of_true, of_made]).to_list()))
    found, *wanted = (rows[start : start + len(asked)] for start in range(0, 3 * len(asked), len(asked)))
    pairs = pl.DataFrame({"own": own, "true": of_true})
    complete = pairs.select(pl.col("own").str.starts_with(pl.col("true"))).to_series().to_numpy()
    of_true_rows, of_made_rows = (_shares(found, rows) for rows in wanted)
    return Overlaps(of_true_rows, of_made_rows, complete)


def _shares(found: csr_matrix, wanted: csr_matrix) -> NDArray[np.float64]:
    """(n,) share of the n-grams of a row of `wanted` that the same row of `found` has."""
    n = np.asarray(wanted.sum(axis=1)).ravel()
    return np.asarray(found.multiply(wanted).sum(axis=1)).ravel() / np.maximum(n, 1)


def overlap_finding(part: str, name: str, found: Overlaps, is_leak: bool, seed: int) -> Finding:
    """The mean overlap with true continuations minus that with made-up ones, with its interval.

    Args:
        part: Part of the audit.
        name: Name of the texts.
        found: The overlaps.
        is_leak: Whether more overlap with the true continuations is a leak.
        seed: Seed of the bootstrap.
    """
    check, n = f"free completion of {name}", len(found.true)
    if n < 2:
        return Finding(part, check, IS_NOT_CHECKED, "fewer than two continuations could be made up")
    low, high = interval(found.true - found.made_up, seed)
    true, made_up, complete = float(found.true.mean()), float(found.made_up.mean()), int(found.complete.sum())
    more = low > 0
    text = (
        f"{n:,} texts have {true:.1%} of the n-grams of true continuations and {made_up:.1%} of those of made-up ones "
        f"(difference {true - made_up:+.1%}, 95 % interval {low:+.1%} to {high:+.1%}): "
        f"{'more' if more else 'not more'}; {complete:,} begin with the true continuation"
    )
    numbers = {"of": float(n), "true": true, "made_up": made_up, "low": low, "high": high, "complete": float(complete)}
    status = (IS_FOUND if more else IS_CLEAN) if is_leak else IS_MEASURED
    return Finding(part, check, status, text, numbers)


def interval(differences: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean of differences (n,).

    Example:
        >>> interval(np.array([0.5, 0.5, 0.5]), seed=0)
        (0.5, 0.5)
    """
    rows = np.random.default_rng(seed).integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.quantile(differences[rows].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
