from __future__ import annotations

from dataclasses import replace

import pytest
from studies.answers.test_split_choice import FACTS

from recsys.config.compatibility import check
from recsys.config.compose import compose
from recsys.studies.answers.candidates import CONTROL, IDS, LANGUAGE_MODEL, MOST_DENSE_ITEMS, groups


def labels(found):
    return [cell.label for group in found for cell in group.cells]


@pytest.mark.slow
@pytest.mark.parametrize("is_cold", [False, True])
def test_every_cell_composes_and_has_another_label(is_cold):
    found = groups(FACTS, ["encoder=bert"], "bert", is_cold)
    for group in found:
        for cell in group.cells:
            cfg = compose(cell.overrides)
            check(cfg)
            assert (cfg.choices.encoder == "bert") is (cell.kind == LANGUAGE_MODEL)
            assert (cfg.choices.encoder == "random") is (cell.kind == CONTROL)
    assert len(set(labels(found))) == len(labels(found))


@pytest.mark.parametrize("is_cold", [False, True])
def test_a_language_model_is_never_without_its_control(is_cold):
    for group in groups(FACTS, ["encoder=bert"], "bert", is_cold):
        own = {cell.label: cell.kind for cell in group.cells}
        wanted = {cell.control for cell in group.cells if cell.kind == LANGUAGE_MODEL}
        assert wanted == {label for label, kind in own.items() if kind == CONTROL}


def test_a_control_differs_from_its_cell_by_the_encoder_alone():
    found = groups(FACTS, ["encoder=bert"], "bert", dim=384)
    cells = {cell.label: cell for group in found for cell in group.cells}
    for cell in cells.values():
        if cell.control is not None:
            expected = ["encoder=random", "encoder.dim=384", *cell.overrides[1:]]
            assert cells[cell.control].overrides == expected


def test_the_first_group_answers_the_question_alone():
    kinds = {cell.kind for cell in groups(FACTS, ["encoder=bert"], "bert")[0].cells}
    assert {IDS, LANGUAGE_MODEL, CONTROL} <= kinds


def test_what_the_data_does_not_allow_is_left_out():
    assert "recent_popularity" in labels(groups(FACTS, ["encoder=bert"], "bert"))
    assert "sasrec" in labels(groups(FACTS, ["encoder=bert"], "bert"))
    without_times = labels(groups(replace(FACTS, has_times=False), ["encoder=bert"], "bert"))
    assert not {"recent_popularity", "sasrec"} & set(without_times)
    assert "sasrec" not in labels(groups(replace(FACTS, median_history=4.0), ["encoder=bert"], "bert"))
    large = labels(groups(replace(FACTS, n_items=MOST_DENSE_ITEMS + 1), ["encoder=bert"], "bert"))
    assert not any("ease" in label for label in large)
