"""What a language model writes after a prefix, compared with the true continuation and with a made-up one."""

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

N_GRAM = 4  # characters
DRAWS = 2000  # of the bootstrap
_ROW, _PLACE, _WORD, _SHAPE, _MADE = "row", "place", "word", "shape", "made"


@dataclass(frozen=True)
class Overlaps:
    """How much of a continuation a language model writes, for n prefixes.

    Attributes:
        true: (n,) the share of the true continuation's n-grams that are in the written text.
        made_up: (n,) the same of the made-up continuation.
        complete: (n,) whether the written text begins with the true continuation.
    """

    true: NDArray[np.float64]
    made_up: NDArray[np.float64]
    complete: NDArray[np.bool_]


def look_alikes(probes: Probes, seed: int) -> list[str]:
    """(n) a made-up continuation for each prefix; "" where none could be made.

    Each of its words is that of another continuation of the same shape, at the same position. So the words at each
    position, such as the years at the end, are as frequent as in the true continuations. Neither it nor the line that
    it completes is among the true ones.

    Args:
        probes: The questions.
        seed: Of the draw.

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
    """How much of true and made-up continuations is in the written texts; without the rows that have no made-up one.

    N-grams are of N_GRAM characters of the text in lower case without punctuation; a shorter word is one n-gram.

    Args:
        written: (m) texts of a language model.
        true: (m) the true continuations.
        made_up: (m) the made-up ones; "" for none.
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
    """(n,) the share of a row's n-grams in `wanted` that the same row of `found` has."""
    n = np.asarray(wanted.sum(axis=1)).ravel()
    return np.asarray(found.multiply(wanted).sum(axis=1)).ravel() / np.maximum(n, 1)


def overlap_finding(part: str, name: str, found: Overlaps, is_leak: bool, seed: int) -> Finding:
    """The mean overlap with true continuations less that with made-up ones, with its interval.

    Args:
        part: Of the audit.
        name: Of the texts.
        found: The overlaps.
        is_leak: Whether more overlap with the true ones is a leak.
        seed: Of the bootstrap.
    """
    check, n = f"free completion of {name}", len(found.true)
    if n < 2:
        return Finding(part, check, IS_NOT_CHECKED, "no titles could be made up that look alike")
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
    """The 95 % percentile interval of the mean of (n,) differences by the bootstrap.

    Example:
        >>> interval(np.array([0.5, 0.5, 0.5]), seed=0)
        (0.5, 0.5)
    """
    rows = np.random.default_rng(seed).integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.quantile(differences[rows].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
