"""The sentence of the verdict against comparisons that were made up."""

from __future__ import annotations

import pytest

from recsys.reports.inference import Inference
from recsys.reports.statistics import PairedDifference
from recsys.studies.answers.costs_of_text import TextCost
from recsys.studies.answers.scopes import (
    BETTER,
    CAPACITY,
    COLD,
    OVERALL,
    SHORT,
    TAIL,
    UNDECIDED,
    WORSE,
    Chosen,
    Scope,
    correct,
    n_comparisons,
)
from recsys.studies.answers.sentences import detail, first_sentence, short_answer, smallest_difference

CHOSEN = Chosen("bert+cf", "ease", "ease", "random+cf")
COST = TextCost(40.0, 2.0, 1_000_000, 20_000, 22_700_000, "cf")


def difference(mean: float, p: float) -> PairedDifference:
    return PairedDifference(mean, mean - 0.01, mean + 0.01, p, 0.1)


GAIN, LOSS, NONE = difference(0.02, 0.0001), difference(-0.02, 0.0001), difference(0.003, 0.5)


def scope(name: str, gain: PairedDifference, control: PairedDifference | None = GAIN, **further) -> Scope:
    part = {OVERALL: "all test interactions", COLD: "items=cold", TAIL: "items=tail", SHORT: "history=1-3"}[name]
    means = {"bert+cf": 0.12, "ease": 0.1, "random+cf": 0.09}
    return Scope(name, part, CHOSEN, "ndcg@10", means, gain, control, **further)


def judged(*found: Scope) -> list[Scope]:
    return correct(found, Inference())


def said(*found: Scope) -> str:
    return first_sentence(judged(*found), COST).replace("\N{NO-BREAK SPACE}", " ")


def test_text_is_better_for_all():
    assert said(scope(OVERALL, GAIN), scope(COLD, GAIN), scope(TAIL, NONE)) == (
        "Yes: a language model makes this recommender better overall and for cold items: bert+cf against ease is "
        "+0.0200 [+0.0100, +0.0300] nDCG@10, at a cost of 40 s of fitting and encoding instead of 2.0 s "
        "for cf, the best model on IDs."
    )


@pytest.mark.parametrize(
    ("gain", "parts", "begin"),
    [
        (GAIN, NONE, "Yes, with these untuned models: a language model"),
        (NONE, GAIN, "Only in part, with these untuned models: a language model"),
        (LOSS, NONE, "Not with these untuned models: a language model makes this recommender worse overall: bert"),
        (NONE, NONE, "This run cannot tell whether a language model"),
    ],
)
def test_untuned_models_support_less(gain, parts, begin):
    found = judged(scope(OVERALL, gain), scope(TAIL, parts))
    assert first_sentence(found, COST, is_tuned=False).startswith(begin)
    assert begin.startswith(short_answer(found, is_tuned=False))


@pytest.mark.parametrize(("end", "answer"), [(0.0049, "No relevant difference"), (0.0051, "This data cannot tell")])
def test_a_narrow_interval_shows_that_there_is_no_difference(end, answer):
    gain = PairedDifference(0.001, -0.0049, end, 0.6, 0.1)  # the reference is 0.1, of which 5 % are 0.005
    found = judged(scope(OVERALL, gain))
    assert short_answer(found) == answer
    assert first_sentence(found, COST).startswith(answer)
    assert short_answer(found, is_tuned=False) == "This run cannot tell"
    assert short_answer(judged(scope(OVERALL, gain), scope(TAIL, LOSS))) == "This data cannot tell"


def test_better_overall_and_worse_for_some():
    assert "better overall, and worse for tail items: bert+cf" in said(scope(OVERALL, GAIN), scope(TAIL, LOSS))


def test_text_is_worse():
    found = said(scope(OVERALL, LOSS, NONE), scope(COLD, NONE), scope(SHORT, LOSS))
    assert found.startswith(
        "No: a language model makes this recommender worse overall and for short histories: bert+cf against ease is "
        "−0.0200 [−0.0300, −0.0100] nDCG@10, at a cost of 40 s"
    )


def test_the_data_cannot_tell():
    found = said(scope(OVERALL, NONE), scope(COLD, NONE), scope(TAIL, NONE))
    assert found.startswith(
        "This data cannot tell whether a language model makes this recommender better: bert+cf against ease is "
        "+0.0030 [−0.0070, +0.0130] nDCG@10, at"
    )


def test_only_cold_items_are_better():
    found = said(scope(OVERALL, NONE), scope(COLD, GAIN), scope(TAIL, NONE))
    assert found.startswith(
        "Only in part: a language model makes this recommender better for cold items (bert+cf against ease is +0.0200 "
        "[+0.0100, +0.0300] nDCG@10); overall the difference is not significant, at a cost"
    )


def test_cold_items_are_better_and_all_together_worse():
    found = said(scope(OVERALL, LOSS, NONE), scope(COLD, GAIN), scope(TAIL, GAIN), scope(SHORT, GAIN))
    assert "better for cold items, tail items and short histories (bert" in found
    assert ") and worse overall, at a cost" in found


@pytest.mark.parametrize("control", [NONE, LOSS])
def test_a_gain_that_random_vectors_have_too_is_not_one_of_text(control):
    found = judged(scope(OVERALL, GAIN, control))
    assert found[0].result == CAPACITY
    sentence = first_sentence(found, COST)
    assert sentence.startswith("This data cannot tell")
    assert "not significantly better than the same model with random vectors" in sentence


def test_a_gain_without_a_control_is_no_comparison_with_one():
    overall, cold = judged(scope(OVERALL, GAIN, None), scope(COLD, GAIN))
    reason = "the same model with random vectors failed, so text may not be the reason"
    assert f"nDCG@10, but {reason}, at" in first_sentence([overall], COST)
    assert f"; overall {reason}, at" in first_sentence([overall, cold], COST)
    assert "better than without, but the control failed, so text may not be the reason" in detail(overall)


def test_all_comparisons_are_one_family():
    # Holm: the smallest of four p-values is multiplied by 4, the next one by 3
    gain, control = difference(0.02, 0.013), difference(0.02, 0.001)
    found = judged(scope(OVERALL, gain, control), scope(COLD, NONE, NONE))
    assert n_comparisons(found) == 4
    assert found[0].over_control.p_corrected == pytest.approx(0.004)
    assert found[0].gain.p_corrected == pytest.approx(0.039)
    assert found[0].result == BETTER
    assert judged(scope(OVERALL, difference(0.02, 0.017), control), scope(COLD, NONE, NONE))[0].result == UNDECIDED


def test_lower_may_be_better():
    assert judged(scope(OVERALL, LOSS, LOSS, lower_is_better=True))[0].result == BETTER
    assert judged(scope(OVERALL, GAIN, lower_is_better=True))[0].result == WORSE


def test_the_smallest_difference_follows_from_the_interval():
    # half of 0.02 times (1.96 + 0.84) / 1.96
    assert "0.0143 nDCG@10" in smallest_difference(judged(scope(OVERALL, NONE))[0])


def test_the_interval_with_seeds_comes_first():
    assert "[+0.0100," in detail(judged(scope(OVERALL, GAIN))[0])
    wide = PairedDifference(0.02, 0.01, 0.03, 0.0001, 0.1, low_with_seeds=-0.01, high_with_seeds=0.05, p_with_seeds=0.2)
    found = judged(scope(OVERALL, wide))[0]
    assert found.result == UNDECIDED
    assert "[−0.0100," in detail(found)
