"""The answer in sentences, from its planned comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from recsys.reports.formatting import interval, metric_name, number, p_equals
from recsys.studies.answers.costs_of_text import TextCost
from recsys.studies.answers.scopes import BETTER, CAPACITY, OVERALL, UNDECIDED, WORSE, Scope, ends

_QUESTION = "a language model makes this recommender better"
RELEVANT = 0.05  # share of the reference's metric; smaller differences count as irrelevant
_YES, _IN_PART, _NO, _NONE, _OPEN = "Yes", "Only in part", "No", "No relevant difference", "This data cannot tell"
_UNTUNED = {  # weaker statements: a search may change the order of untuned models
    _YES: "Yes, with these untuned models",
    _IN_PART: "Only in part, with these untuned models",
    _NO: "Not with these untuned models",
    _NONE: "This run cannot tell",
    _OPEN: "This run cannot tell",
}


def short_answer(found: Sequence[Scope], is_tuned: bool = True) -> str:
    """The answer in a few words, and the beginning of the first sentence.

    Args:
        found: The scopes; the first is OVERALL.
        is_tuned: Whether the cells were tuned.
    """
    own = _answer(found)
    return own if is_tuned else _UNTUNED[own]


def _answer(found: Sequence[Scope]) -> str:
    """The answer for tuned models. An interval within ±RELEVANT of the reference's mean is no relevant difference."""
    overall = found[0]
    if overall.result == BETTER:
        return _YES
    if any(scope.result == BETTER for scope in found[1:]):
        return _IN_PART
    if overall.result == WORSE:
        return _NO
    low, high = ends(overall.gain)
    limit = RELEVANT * overall.means.get(overall.chosen.reference, 0.0)
    is_small = max(-low, high) < limit and all(scope.result != WORSE for scope in found)
    return _NONE if is_small and overall.result == UNDECIDED else _OPEN


def first_sentence(found: Sequence[Scope], cost: TextCost, is_tuned: bool = True) -> str:
    """The answer to "does a language model make this recommender better, for whom, and at what cost?".

    Args:
        found: The scopes; the first is OVERALL.
        cost: Costs of the text cell.
        is_tuned: Whether the cells were tuned.
    """
    overall, price, begin = found[0], f"at a cost of {cost.short}", short_answer(found, is_tuned)
    better = [scope.name for scope in found[1:] if scope.result == BETTER]
    worse = [scope.name for scope in found[1:] if scope.result == WORSE]
    below = f", and worse for {_listed(worse)}" if worse else ""
    answer = _answer(found)
    if answer == _YES:
        also = f" and for {_listed(better)}" if better else ""
        return f"{begin}: {_QUESTION} overall{also}{below}: {_size(overall)}, {price}."
    if answer == _IN_PART:
        first = next(scope for scope in found if scope.name == better[0])
        return f"{begin}: {_QUESTION} for {_listed(better)} ({_size(first)}){_rest(overall)}{below}, {price}."
    if answer == _NO:
        return (
            f"{begin}: a language model makes this recommender worse overall{_also(worse)}: {_size(overall)}, {price}."
        )
    if answer == _NONE and is_tuned:
        text = f"a language model changes this recommender by less than {RELEVANT:.0%}"
        return f"{begin}: {text}: {_size(overall)}, {price}."
    control = f", but {_control(overall)}"
    untuned = "" if is_tuned else ", with untuned models"
    beside = control if overall.result == CAPACITY else ""
    return f"{begin} whether {_QUESTION}{below}: {_size(overall)}{beside}, {price}{untuned}."


def smallest_difference(overall: Scope) -> str:
    """A sentence about the smallest difference that a test on this data detects."""
    name = metric_name(overall.metric)
    return (
        f"Smallest detectable difference: {number(overall.detectable)} {name}, in about four of five cases (a single "
        "test with a power of 80 %); smaller differences are often missed."
    )


def detail(scope: Scope) -> str:
    """A sentence about a scope."""
    beside = {
        BETTER: "better than without, and than with random vectors",
        CAPACITY: f"better than without, but {_beside(scope)}, so text may not be the reason",
        WORSE: "worse than without",
        UNDECIDED: "not significantly different from without",
    }[scope.result]
    named = scope.name if scope.name == OVERALL else f"{scope.name} ({scope.part})"
    return f"{named[0].upper()}{named[1:]}: {beside}; {_size(scope)}, {p_equals(scope.gain.p_corrected)}."


def _size(scope: Scope) -> str:
    low, high = ends(scope.gain)
    return (
        f"{scope.chosen.text} against {scope.chosen.reference} is {number(scope.gain.mean, signed=True)} "
        f"{interval(low, high, signed=True)} {metric_name(scope.metric)}"
    )


def _rest(overall: Scope) -> str:
    """The overall result, for an answer in which only parts of the data are better."""
    if overall.result == WORSE:
        return " and worse overall"
    if overall.result == CAPACITY:
        return f"; overall {_control(overall)}"
    return "; overall the difference is not significant"


def _control(scope: Scope) -> str:
    """The comparison with the control of a cell that is better than the reference only."""
    if scope.over_control is None:
        return "the same model with random vectors failed, so text may not be the reason"
    return "it is not significantly better than the same model with random vectors"


def _beside(scope: Scope) -> str:
    return "the control failed" if scope.over_control is None else "not than with random vectors"


def _also(names: Sequence[str]) -> str:
    return f" and for {_listed(names)}" if names else ""


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them.

    Example:
        >>> _listed(["a", "b", "c"]), _listed(["a"])
        ('a, b and c', 'a')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
