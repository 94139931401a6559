"""The split that fits a data set, and the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys.studies.answers.data_facts import Facts

ENOUGH_COLD = 0.05  # least share of test interactions with cold items for a study of cold items
LEAST_MINUTES = 10  # least minutes of an answer with a study of cold items

# The reasons why the split of this name does not fit; empty if it fits.
Problems = Callable[[str], list[str]]


@dataclass(frozen=True)
class SplitChoice:
    """A split, by its config option, and the reason for it in a sentence."""

    name: str
    reason: str


def choose_split(facts: Facts, problems: Problems, given: str | None = None) -> SplitChoice:
    """The split that fits the data.

    Args:
        facts: Facts about the data.
        problems: Returns the warnings or the error of the split of this name, such as a small test.
        given: The split that the user chose, if any.

    Example:
        >>> facts = Facts(9, True, False, False, 3.0, days=9.0)
        >>> choose_split(facts, lambda name: []).name, choose_split(facts, lambda name: ["small test"]).name
        ('temporal', 'user_temporal')
    """
    if given is not None:
        return SplitChoice(given, "It is set on the command line.")
    if facts.has_impressions or facts.has_parts:
        return SplitChoice("given", "The data names the part of each interaction.")
    if not facts.has_times:
        return SplitChoice("random", "The data has no times: a random share of each user's interactions is held out.")
    found = problems("temporal")
    if not found:
        return SplitChoice(
            "temporal", "The data has times, and one cut in time leaves enough to test without leaks from the future."
        )
    return SplitChoice(
        "user_temporal",
        "The data has times, but one cut in time tests too little: each user's newest interactions are held out. "
        f"With one cut: {found[0]}",
    )


def wants_cold_items(facts: Facts, minutes: float, problems: Problems) -> tuple[bool, str]:
    """Whether a study of cold items is worth its time, and the reason in a sentence.

    Args:
        facts: Facts about the data and its split.
        minutes: Minutes of the answer.
        problems: See `choose_split`.
    """
    told = f"{facts.cold_share:.1%} of test interactions are with items without earlier interactions"
    if facts.has_impressions:
        return False, "No study of cold items: data with impressions has one split only."
    if facts.cold_share < ENOUGH_COLD:
        return False, f"No study of cold items: only {told} ({ENOUGH_COLD:.0%} are needed)."
    if minutes < LEAST_MINUTES:
        return False, f"No study of cold items, although {told}: it needs minutes={LEAST_MINUTES} or more."
    found = problems("cold_items")
    if found:
        return False, f"No study of cold items: {found[0]}"
    return True, f"A study of cold items takes a third of the time: {told}."
