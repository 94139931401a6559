"""Cells composed, labelled, and refused before anything runs."""

from __future__ import annotations

import pytest

from recsys.schema import ConfigError
from recsys.studies.plan import plan, retuned
from recsys.studies.runner import check_baseline, run_study
from recsys.studies.search_checks import check_search


def test_labels_come_from_parts_or_from_the_study(study_of):
    grid = "study.grid={encoder: [tfidf, random], features.dim: [8, 16]}"
    labels = [planned.label for planned in plan(study_of(grid))]
    assert labels == [
        "popularity",
        "tfidf+dot (features.dim=8)",
        "tfidf+dot (features.dim=16)",
        "random+dot (features.dim=8)",
        "random+dot (features.dim=16)",
        "cf",
        "text",
    ]


def test_a_cell_keeps_its_label_beside_a_variant(study_of):
    cfg = study_of('study.baselines=[["ranker=popularity"],["ranker=popularity","ranker.half_life_days=7"]]')
    cells = plan(cfg)
    labels = [planned.label for planned in cells]
    assert labels[:2] == ["popularity", "popularity (ranker.half_life_days=7)"]
    check_baseline(cfg, cells)


def test_a_study_may_have_some_of_its_cells_only(study_of):
    assert [planned.label for planned in plan(study_of("study.only=[text,popularity]"))] == ["popularity", "text"]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("[text,txt]", r"study\.only has txt; expected labels of the study's cells: popularity, cf, text\."),
        ("[]", "study.only has no label; expected labels"),
        ("text", "study.only"),
    ],
)
def test_labels_that_no_cell_has_are_refused(study_of, only, message):
    with pytest.raises(ConfigError, match=message):
        plan(study_of(f"study.only={only}"))


def test_a_monitor_of_the_test_is_refused_before_the_first_trial(study_of):
    with pytest.raises(ConfigError, match=r"monitor is 'test/ndcg@10'; expected a metric of validation"):
        plan(study_of('study.common=["monitor=test/ndcg@10"]'))


def test_some_of_the_cells_need_the_baseline(study_of):
    cfg = study_of("study.only=[cf]")
    with pytest.raises(ConfigError, match=r"study\.baseline is 'popularity'; expected one of cf, or null"):
        check_baseline(cfg, plan(cfg))


def test_a_seed_makes_a_run_and_leaves_the_cell_alone(study_of):
    planned = plan(study_of())[0]
    assert planned.with_seed(7).seed == 7
    assert planned.with_seed(7).overrides[-1] == "seed=7"
    assert planned.cfg.seed == 0
    assert planned.cfg.tags == ["tiny"]


def test_tuned_parameters_are_overrides_and_recorded(study_of):
    cfg = study_of("search=tpe", "search.max_seconds=60")
    made = retuned(cfg, plan(cfg)[1], {"learning_rate": "0.01"})
    assert made.cfg.learning_rate == 0.01
    parameters = {"learning_rate": "0.01"}
    assert made.cfg.tuning == {"study": "tiny", "trials": 20, "max_seconds": 60.0, "parameters": parameters}


def test_a_space_may_have_keys_of_cells_that_are_left_out(study_of):
    cells = '{neighbours: ["ranker=itemknn"], factors: ["encoder=none", "ranker=cf"]}'
    space = "study.space={ranker.item_bias: {choice: [true, false]}}"
    left = study_of("search=tpe", space, "study.only=[neighbours]", cells=cells)
    (own,) = check_search(left, plan(left))
    assert "ranker.n_neighbors" in own.keys
    assert "ranker.item_bias" not in own.keys
    wrong = study_of("search=tpe", space.replace("bias", "colour"), "study.only=[neighbours]", cells=cells)
    with pytest.raises(ConfigError, match=r"study.space has ranker.item_colour, which is no key"):
        check_search(wrong, plan(wrong))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ('{one: ["ranker=dot"], other: ["ranker=dot"]}', "the same cell twice, as 'one' and as 'other'"),
        (
            '{a: ["ranker=dot"], b: ["ranker=dot"], c: ["ranker=dot"]}',
            "the same cell twice, as 'a' and as 'b'; as 'a' and as 'c': leave one of them out",
        ),
        ('{bad: ["ranker=dot", "encoder=none"]}', "neither text nor learnt IDs"),
        ('{told: ["encoder=tfidf", "ranker=cf", "written=nowhere.parquet"]}', "nowhere.parquet cannot be read"),
        ('{taught: ["encoder=tfidf", "ranker=cf", "loss=distil", "loss.teacher=0123456789ab"]}', "0123456789ab"),
    ],
)
def test_impossible_cells_are_refused(cells, message, study_of):
    with pytest.raises(ConfigError, match=message):
        plan(study_of(cells=cells))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["study.baseline=cff"], "study.baseline is 'cff'; expected one of popularity, cf, text, or null"),
        (["search.n_trials=5"], "search=none has no sampler; choose search=tpe"),
        (["search.n_trials=-1"], "search.n_trials is -1"),
        (["search=tpe", "study.space={ranker.colour: {choice: [1]}}"], r"study.space has ranker.colour, which is no"),
        (
            ["search=tpe", "study.space={features.dim: {choice: [4]}}"],
            r"features.dim, which is searched in no cell \(cf: features.dim=8",
        ),
        (["search=tpe", "study.space={ranker.item_bias: null}"], r"ranker.item_bias, which is searched in no cell"),
        (["search=tpe", "search.seeds=0"], "search.seeds is 0; expected a whole number of at least 1"),
        (["search=tpe", "search.cost=money"], "search.cost is 'money'; expected seconds, parameters or null"),
    ],
)
def test_an_impossible_study_is_refused_before_its_first_run(overrides, message, study_of, tmp_path):
    with pytest.raises(ConfigError, match=message):
        run_study(study_of(*overrides))
    assert not (tmp_path / "runs").exists()
