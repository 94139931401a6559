"""What cells of a comparison are called."""

from __future__ import annotations

import pytest
from reports.made_runs import made_run, small_study

from recsys.reports.comparison import compare
from recsys.schema import ComparisonError
from recsys.tracking.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_baseline_by_label_name_or_run_id(store):
    runs = small_study(store)
    by_name = compare(runs, store, "popularity", ["ndcg@10"]).baseline
    by_id = compare(runs, store, runs[-1].run_id, ["ndcg@10"]).baseline
    assert by_name == by_id == "popularity"
    with pytest.raises(ComparisonError, match=r"'random\+dot' is none of the cells.*'bert\+dot', 'tfidf\+dot'"):
        compare(runs, store, "random+dot", ["ndcg@10"])
    twins = [made_run(store, "bert", "dot", 0, [0, 1], config={"dim": dim}) for dim in (1, 2)]
    with pytest.raises(ComparisonError, match=r"is the name of several cells.*'bert\+dot \(dim=1\)'"):
        compare(twins, store, "bert+dot", ["ndcg@10"])
    assert compare(twins, store, "bert+dot (dim=2)", ["ndcg@10"]).baseline == "bert+dot (dim=2)"


def test_labels_say_what_differs_and_no_more(store):
    def cell(profile: str, **config: object) -> object:
        choices = {"data": "toy", "encoder": "bert", "ranker": "dot", "profile": profile}
        return made_run(
            store, "bert", "dot", 0, [0, 1], choices=choices, config={"profile": {"_target_": profile}, **config}
        )

    runs = [
        cell("mean", learning_rate=0.01, optimizer={"lr": 0.01}),  # optimizer.lr follows learning_rate
        cell("mean", learning_rate=0.1, optimizer={"lr": 0.1}),
        cell("recurrent", learning_rate=0.1, optimizer={"lr": 0.1}),
        made_run(store, "tfidf", "dot", 0, [0, 1]),
    ]
    assert sorted(row.label for row in compare(runs, store, None, ["ndcg@10"]).rows) == [
        "bert+dot (profile=mean, learning_rate=0.01)",
        "bert+dot (profile=mean, learning_rate=0.1)",
        "bert+dot (profile=recurrent, learning_rate=0.1)",
        "tfidf+dot",
    ]


def test_labels_of_keys_with_the_same_last_part_are_whole(store):
    runs = [
        made_run(store, "bert", "dot", 0, [0, 1], config={"a": {"dim": 1}, "b": {"dim": 2}}),
        made_run(store, "bert", "dot", 0, [0, 1], config={"a": {"dim": 1}, "b": {"dim": 3}}),
        made_run(store, "bert", "dot", 0, [0, 1], config={"a": {"dim": 4}, "b": {"dim": 3}}),
    ]
    labels = {row.label for row in compare(runs, store, None, ["ndcg@10"]).rows}
    assert labels == {"bert+dot (a.dim=1, b.dim=2)", "bert+dot (a.dim=1, b.dim=3)", "bert+dot (a.dim=4, b.dim=3)"}


@pytest.mark.parametrize(
    ("drawn", "shown"),
    [
        ((0.006214385499197114, 0.000321), ["lr=0.006214", "lr=0.000321"]),
        ((0.01, 0.0100000001), ["lr=0.01", "lr=0.0100000001"]),  # alike in four digits
    ],
)
def test_numbers_in_labels_have_as_many_digits_as_it_takes(drawn, shown, store):
    runs = [made_run(store, "bert", "dot", 0, [0, 1], config={"lr": value}) for value in drawn]
    assert {row.label for row in compare(runs, store, None, ["ndcg@10"]).rows} == {f"bert+dot ({own})" for own in shown}


def test_labels_differ_even_where_values_look_alike(store):
    runs = [made_run(store, "bert", "dot", 0, [0, 1], config={"limit": limit}) for limit in (1, "1")]
    labels = [row.label for row in compare(runs, store, None, ["ndcg@10"]).rows]
    assert len(set(labels)) == 2


def test_labels_may_be_given_by_run_id(store):
    runs = small_study(store)
    given = {runs[1].run_id: "the big one", runs[4].run_id: "floor"}
    found = compare(runs, store, "floor", ["ndcg@10"], labels=given)
    assert [row.label for row in found.rows] == ["the big one", "tfidf+dot", "floor"]
    assert found.baseline == "floor"


def test_a_given_label_that_another_cell_has_is_told_apart(store):
    runs = small_study(store)
    found = compare(runs, store, None, ["ndcg@10"], labels={runs[0].run_id: "tfidf+dot"})
    labels = [row.label for row in found.rows]
    assert len(set(labels)) == 3
    assert sum(label.startswith("tfidf+dot ") for label in labels) == 2


def test_cells_that_are_the_same_runs_are_all_kept_with_a_note(store):
    runs = small_study(store)
    given = {runs[1].run_id: ["base", "dim=64"], runs[4].run_id: ["floor"]}
    found = compare(runs, store, "base", ["ndcg@10"], labels=given)
    assert {row.label for row in found.rows} == {"base", "dim=64", "tfidf+dot", "floor"}
    assert found.baseline == "base"
    difference = found.row("dim=64").scores["ndcg@10"].difference
    assert (difference.mean, difference.low, difference.high) == (0, 0, 0)
    assert not found.is_significant(difference)
    assert "base and dim=64 are the same runs: their settings are equal after tuning." in found.warnings


def test_labels_do_not_name_how_a_model_is_trained_that_is_not(store):
    def cell(score: str, finetune: str, epochs: int) -> object:
        settings = {"_target_": "prompt", "score": score, "training": {"max_epochs": epochs}}
        choices = {"data": "toy", "encoder": "none", "ranker": "prompt", "finetune": finetune}
        return made_run(store, "none", "prompt", 0, [0, 1], choices=choices, config={"ranker": settings})

    runs = [cell("likelihood", "frozen", 2), cell("yes_no", "frozen", 3), cell("yes_no", "lora", 5)]
    assert sorted(row.label for row in compare(runs, store, None, ["ndcg@10"]).rows) == [
        "prompt (finetune=frozen, score=likelihood)",
        "prompt (finetune=frozen, score=yes_no)",
        "prompt (finetune=lora, score=yes_no, max_epochs=5)",
    ]
