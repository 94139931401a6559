"""The planned comparisons of an answer: cells chosen on validation, tested on the test, corrected as one family.

Each scope has two comparisons: the best cell with a language model against the best cell without one, and against the
same cell with random vectors. So a gain from more weights is not attributed to the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from statistics import fmean

from recsys.reports.comparison import Comparison
from recsys.reports.corrections import NAMES
from recsys.reports.inference import Inference
from recsys.reports.statistics import PairedDifference, corrected
from recsys.schema import RecsysError
from recsys.studies.answers.candidates import IDS, LANGUAGE_MODEL, WITHOUT_MODEL, Candidate
from recsys.tracking.directions import higher_is_better
from recsys.tracking.record import Record

BETTER, WORSE, UNDECIDED, CAPACITY = "better", "worse", "cannot tell", "no better than with random vectors"
OVERALL, COLD, TAIL, SHORT = "overall", "cold items", "tail items", "short histories"
_POWER = 1.43  # (1.96 + 0.84) / 1.96: detectable difference per half-width of a 95 % interval, for a power of 80 %


@dataclass(frozen=True)
class Chosen:
    """Labels of the compared cells, chosen by validation alone.

    Attributes:
        text: The best cell with a language model.
        reference: The best cell without one.
        ids: The best cell on IDs; None if none was finished.
        control: The text cell with random vectors; None if it failed.
    """

    text: str
    reference: str
    ids: str | None
    control: str | None


@dataclass(frozen=True)
class Scope:
    """The whole test or a part of it, such as cold items, with its two comparisons.

    Attributes:
        name: OVERALL, COLD, TAIL or SHORT.
        part: The segment or split, such as "items=cold".
        chosen: Labels of the cells.
        metric: Name of the compared metric.
        means: Mean of the metric, by label.
        gain: The text cell minus the reference.
        over_control: The text cell minus its control; None without one.
        alpha: Significance level of the corrected p-values.
        lower_is_better: Whether lower values of the metric are better.
    """

    name: str
    part: str
    chosen: Chosen
    metric: str
    means: Mapping[str, float]
    gain: PairedDifference
    over_control: PairedDifference | None = None
    alpha: float = 0.05
    lower_is_better: bool = False

    @property
    def result(self) -> str:
        """BETTER, WORSE, CAPACITY or UNDECIDED. Better needs both comparisons."""
        gain, control = self._direction(self.gain), self._direction(self.over_control)
        if gain > 0:
            return BETTER if control > 0 else CAPACITY
        return WORSE if gain < 0 else UNDECIDED

    def _direction(self, difference: PairedDifference | None) -> int:
        """1 if significantly better, -1 if significantly worse, else 0."""
        p = None if difference is None else difference.p_corrected
        if difference is None or p is None or not p < self.alpha:
            return 0
        return 1 if (difference.mean > 0) is not self.lower_is_better else -1

    @property
    def detectable(self) -> float:
        """The smallest difference that a single test detects with a power of 80 %, approximately."""
        low, high = ends(self.gain)
        return _POWER * (high - low) / 2


def ends(difference: PairedDifference) -> tuple[float, float]:
    """The ends of the interval over users and, with several seeds, over seeds too."""
    if difference.low_with_seeds is not None and difference.high_with_seeds is not None:
        return difference.low_with_seeds, difference.high_with_seeds
    return difference.low, difference.high


def choose(records: Mapping[str, Sequence[Record]], cells: Sequence[Candidate]) -> Chosen:
    """Choose the compared cells by their mean of the monitored metric on validation; no test value is read.

    Args:
        records: Records of the finished runs, by the cell's label.
        cells: Cells of the study.

    Raises:
        RecsysError: If no cell with a language model, or none without one, was finished.
    """
    values = {label: _on_validation(own) for label, own in records.items()}

    def best(*kinds: str) -> str | None:
        known = [cell.label for cell in cells if cell.kind in kinds and not isnan(values.get(cell.label, nan))]
        return max(known, key=lambda label: values[label], default=None)

    text, reference = best(LANGUAGE_MODEL), best(*WITHOUT_MODEL)
    if text is None or reference is None:
        missing = "with" if text is None else "without"
        raise RecsysError(f"no cell {missing} a language model was finished: there is nothing to compare.")
    control = next(cell.control for cell in cells if cell.label == text)
    return Chosen(text, reference, best(IDS), control if control in values else None)


def _on_validation(records: Sequence[Record]) -> float:
    """The mean over seeds, negated if lower values are better."""
    monitor = str(records[0].protocol["monitor"])
    sign = 1 if higher_is_better(records[0], monitor) else -1
    return sign * fmean(record.metrics.get(monitor, nan) for record in records)


def scopes(main: Comparison, chosen: Chosen, cold: tuple[Comparison, Chosen] | None = None) -> list[Scope]:
    """The planned comparisons, with p-values corrected for all of them.

    Args:
        main: Comparison of the chosen cells of the main study, with the text cell as baseline.
        chosen: Labels of the main study's cells.
        cold: The same of the study of cold items; None for the segment of cold items of the main study.
    """
    found = [_whole(main, chosen, OVERALL, "all test interactions")]
    if cold is None:
        found += _segment(main, chosen, COLD, ["items=cold"])
    else:
        found.append(_whole(*cold, COLD, "split=cold_items"))
    found += _segment(main, chosen, TAIL, ["items=tail"])
    histories = [name for name in main.segments.scores if name.startswith("history=") and name != "history=0"]
    if len(histories) > 1:
        found += _segment(main, chosen, SHORT, histories[:1])
    return correct(found, main.inference)


def correct(found: Sequence[Scope], inference: Inference) -> list[Scope]:
    """The scopes with p-values corrected for all of their comparisons together."""
    family = [own for scope in found for own in (scope.gain, scope.over_control) if own is not None]
    ordered = iter(corrected(family, inference))
    made = []
    for scope in found:
        gain = next(ordered)
        control = None if scope.over_control is None else next(ordered)
        made.append(replace(scope, gain=gain, over_control=control, alpha=inference.alpha))
    return made


def n_comparisons(found: Sequence[Scope]) -> int:
    """The number of comparisons that the p-values are corrected for."""
    return sum(1 + (scope.over_control is not None) for scope in found)


def correction_name(inference: Inference) -> str:
    """The name of the correction of p-values."""
    return NAMES[inference.correction]


def _whole(comparison: Comparison, chosen: Chosen, name: str, part: str) -> Scope:
    metric = comparison.metrics[0]
    control = None if chosen.control is None else comparison.pair(metric, chosen.text, chosen.control).difference
    return Scope(
        name,
        part,
        chosen,
        metric,
        {row.label: row.scores[metric].mean for row in comparison.rows},
        comparison.pair(metric, chosen.text, chosen.reference).difference,
        control,
        lower_is_better=comparison.lower_is_better(metric),
    )


def _segment(comparison: Comparison, chosen: Chosen, name: str, names: Sequence[str]) -> Iterator[Scope]:
    """The scope of the first of these segments with a paired difference; none without."""
    metric = comparison.metrics[0]
    for segment in names:
        scores = comparison.segments.scores.get(segment)
        if scores is None:
            continue
        gain = scores[chosen.reference].difference
        control = None if chosen.control is None else scores[chosen.control].difference
        if gain is None:
            continue
        yield Scope(
            name,
            segment,
            chosen,
            metric,
            {label: score.mean for label, score in scores.items()},
            gain.reversed,
            None if control is None else control.reversed,
            lower_is_better=comparison.lower_is_better(metric),
        )
        return
