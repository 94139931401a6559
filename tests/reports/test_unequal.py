"""Cells that were given less than others, by what their records say."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from reports.made_runs import made_run
from rich.console import Console

from recsys.reports import tables
from recsys.reports.comparison import compare
from recsys.reports.printing import print_comparison
from recsys.reports.readme import caption, results
from recsys.reports.report import write_report
from recsys.reports.unequal import Unequal, varied_keys
from recsys.tracking.store import Store
from recsys.tracking.study_record import BASELINE, CHANGE, GRID, LISTED, StudyCell, StudyRecord

VALUES = [0.1, 0.5, 0.2, 0.4]
CONFIG = {
    "monitor": "val/ndcg@10",
    "train_share": 1.0,
    "trainer": {"max_epochs": 4, "check_val_every_n_epoch": 1},
    "callbacks": {"early_stopping": {"patience": 4}},
    "batches": {"batch_size": 512, "max_history": 50, "max_scores": 100},
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def curve(*values, name="val/ndcg@10"):
    return [{"epoch": float(epoch), "train/loss": 1.0, name: value} for epoch, value in enumerate(values)]


def cell(store, ranker, *, seeds=(0,), curves=None, changed=None, **fields):
    config = {
        key: {**CONFIG[key], **value} if isinstance(value, dict) and value and key in CONFIG else value
        for key, value in {**CONFIG, **(changed or {})}.items()
    }
    curves = curves or [curve(0.1, 0.3, 0.2)] * len(seeds)
    return [
        made_run(store, "none", ranker, seed, VALUES, config=config, curve=own, **fields)
        for seed, own in zip(seeds, curves, strict=True)
    ]


def found(store, *cells, varied=()) -> Unequal:
    runs = [run for own in cells for run in own]
    return compare(runs, store, None, ["ndcg@10"], varied=varied).unequal


def test_equal_cells_have_no_notes(store):
    runs = [*cell(store, "dot"), *cell(store, "cf")]
    comparison = compare(runs, store, None, ["ndcg@10"])
    assert comparison.unequal == Unequal()
    assert "notes" not in tables.quality_grid(comparison).headers
    assert tables.full_note(comparison) == tables.note(comparison)
    assert [warning for warning in comparison.warnings if not warning.startswith("fewer than 10 users")] == []


def test_a_cell_that_still_rose_at_its_last_epoch_says_so(store):
    curves = [curve(0.1, 0.2, 0.3, 0.4), curve(0.1, 0.2, 0.3, 0.25), curve(0.1, 0.2, 0.3, 0.31)]
    cut = cell(store, "cf", seeds=(0, 1, 2), curves=curves)
    # The best of three epochs is the last one, but early stopping ended this training.
    stopped = cell(store, "dot", seeds=(0, 1, 2), curves=[curve(0.1, 0.2, 0.3)] * 3)
    assert found(store, cut, stopped).notes == {"4 of 4 epochs, still rising (2 of 3 seeds)": ["cf"]}


def test_a_metric_that_is_better_when_lower_still_falls(store):
    name = "val/gini@10"
    config = {"monitor": name}
    metrics = {"test/ndcg@10": 0.3, name: 0.1}
    falling = cell(store, "cf", curves=[curve(0.4, 0.3, 0.2, 0.1, name=name)], changed=config, metrics=metrics)
    rising = cell(store, "dot", curves=[curve(0.1, 0.2, 0.3, 0.4, name=name)], changed=config, metrics=metrics)
    assert found(store, falling, rising).notes == {"4 of 4 epochs, still falling": ["cf"]}


@pytest.mark.parametrize(
    ("trainer", "note"),
    [
        ({"max_epochs": -1, "max_steps": 30}, "3 epochs until trainer.max_steps, still rising"),
        (
            {"max_epochs": 20, "max_steps": -1, "max_time": "00:00:01:00"},
            "3 epochs until trainer.max_time, still rising",
        ),
        ({"max_epochs": 3, "max_steps": 99}, "3 of 3 epochs, still rising"),
        ({"max_epochs": -1, "max_steps": -1}, None),
    ],
)
def test_a_cell_that_still_rose_at_a_limit_of_steps_or_time_says_so(trainer, note, store):
    cut = cell(store, "cf", curves=[curve(0.1, 0.2, 0.3)], changed={"trainer": trainer})
    assert found(store, cut).notes == ({note: ["cf"]} if note else {})
    fallen = cell(store, "dot", curves=[curve(0.1, 0.3, 0.2)], changed={"trainer": trainer})
    assert found(store, fallen).notes == {}


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"trainer": {"max_epochs": 9}}, "trainer.max_epochs=9, elsewhere 4"),
        ({"train_share": 0.5}, "train_share=0.5, elsewhere 1.0"),
        ({"train_per_user": 5}, "train_per_user=5, elsewhere none"),
        ({"trainer": {"max_epochs": 4, "limit_train_batches": 3}}, "trainer.limit_train_batches=3, elsewhere none"),
        ({"callbacks": {"early_stopping": {"patience": 2}}}, "callbacks.early_stopping.patience=2, elsewhere 4"),
        ({"callbacks": {}}, "callbacks.early_stopping.patience=none, elsewhere 4"),
        ({"batches": {"batch_size": 64, "max_history": 50}}, "batches.batch_size=64, elsewhere 512"),
    ],
)
def test_a_cell_with_another_budget_than_most_says_so(changed, note, store):
    other = cell(store, "mlp", changed=changed)
    assert found(store, cell(store, "dot"), cell(store, "cf"), other).notes == {note: ["mlp"]}


def test_of_two_cells_both_are_marked(store):
    notes = found(store, cell(store, "dot"), cell(store, "cf", changed={"train_share": 0.5})).notes
    assert notes == {"train_share=1.0, elsewhere 0.5": ["dot"], "train_share=0.5, elsewhere 1.0": ["cf"]}


def test_trials_are_part_of_the_budget(store):
    tuned = [cell(store, ranker, tuning={"trials": 20, "study": "s"}) for ranker in ("dot", "cf")]
    plain = cell(store, "mlp")
    unequal = found(store, *tuned, plain)
    assert unequal.notes == {"tuning.trials=0, elsewhere 20": ["mlp"]}
    assert unequal.warnings == []  # there is a warning of its own


@pytest.mark.parametrize(
    ("of_own", "of_changed", "notes"),
    [
        (20, None, {}),  # found in the store, where another study left it
        (20, 5, {}),
        (5, 20, {"tuning.trials=5, elsewhere 20": ["cf"], "tuning.trials=20, elsewhere 5": ["dot"]}),
    ],
)
def test_trials_that_changed_no_setting_are_no_advantage(of_own, of_changed, notes, store):
    own = cell(store, "cf", tuning={"trials": of_own, "study": "other", "parameters": {}})
    parameters = {"optimizer.lr": "0.1"}
    changed = {"trials": of_changed, "study": "s", "parameters": parameters} if of_changed else {"trials": 0}
    comparison = compare([*cell(store, "dot", tuning=changed), *own], store, None, ["ndcg@10"])
    assert comparison.unequal.notes == notes
    assert any("tuning budgets differ" in warning for warning in comparison.warnings) is bool(notes)


def test_rankers_that_are_not_trained_have_no_epochs_and_batches(store):
    fitted = cell(store, "popularity", changed={"trainer": {"max_epochs": 9}, "batches": {}}, epochs=None, curves=[[]])
    assert found(store, cell(store, "dot"), fitted) == Unequal()


def test_what_a_study_varies_or_tunes_is_no_fault(store):
    tuned = {"trials": 3, "parameters": {"batches.max_history": "20"}}
    short = {"train_share": 0.5, "batches": {**CONFIG["batches"], "max_history": 20}}
    cells = [cell(store, "dot", tuning=tuned), cell(store, "cf", changed=short, tuning=tuned)]
    unequal = found(store, *cells, varied=["train_share"])
    assert unequal.notes == {}
    assert unequal.settings == {"train_share": "varied by the study", "batches.max_history": "tuned"}
    assert unequal.footnote == (
        "Settings that differ by design: train_share (varied by the study), batches.max_history (tuned)."
    )


@pytest.mark.parametrize(
    ("varied", "notes", "reason"),
    [
        ([], {"batches.max_history=5 set by the cell, tuned elsewhere": ["mlp"]}, "tuned"),
        (["batches.max_history"], {}, "varied by the study"),
    ],
)
def test_a_cell_that_sets_what_others_tune_says_so(varied, notes, reason, store):
    def of_length(ranker, n, set_by_cell):
        key = "batches.max_history"
        tuning = {"trials": 3, "parameters": {} if set_by_cell else {key: str(n)}}
        changed = {"batches": {**CONFIG["batches"], "max_history": n}}
        return cell(store, ranker, changed=changed, tuning=tuning, overrides=[f"ranker={ranker}", f"{key}={n}"])

    cells = [of_length("dot", 20, False), of_length("cf", 80, False), of_length("mlp", 5, True)]
    unequal = found(store, *cells, varied=varied)
    assert unequal.notes == notes
    assert unequal.settings == {"batches.max_history": reason}


def test_a_study_varies_what_its_grid_and_changes_give_several_values():
    shared = ["trainer.max_epochs=20", "data=synthetic"]
    cells = [
        StudyCell("floor", BASELINE, [*shared, "ranker=popularity"]),
        StudyCell("half", GRID, [*shared, "train_share=0.5"]),
        StudyCell("whole", GRID, [*shared, "train_share=1.0"]),
        StudyCell("unstopped", CHANGE, [*shared, "train_share=1.0", "callbacks=none"]),
        StudyCell("longer", LISTED, ["trainer.max_epochs=90"]),
    ]
    study = StudyRecord("s", "", [0], ["ndcg@10"], None, "val/ndcg@10", cells=cells)
    assert varied_keys(study) == {"train_share", "callbacks"}
    assert varied_keys(None) == set()


@pytest.mark.slow
def test_notes_are_in_every_rendering(store, tmp_path):
    rising = cell(store, "cf", curves=[curve(0.1, 0.2, 0.3, 0.4)])
    comparison = compare([*rising, *cell(store, "dot")], store, "dot", ["ndcg@10"])
    grid = tables.quality_grid(comparison)
    assert grid.headers[-1] == "notes"
    assert {row[0].text: row[-1].text for row in grid.rows} == {"cf": "a", "dot": ""}
    sentence, footnote = "cf: 4 of 4 epochs, still rising", "Notes: a: cf: 4 of 4 epochs, still rising."
    assert f"{sentence}." in comparison.warnings
    paths = write_report(comparison, tmp_path / "report", "Title", formats=["md", "html", "tex"])
    for format in ("md", "html"):
        assert footnote in paths[format].read_text(), format
    assert "a: 4 of 4 epochs, still rising." in paths["tex"].read_text()  # the mark is on the cell
    console = Console(width=200, file=io.StringIO())
    print_comparison(comparison, console)
    printed = console.file.getvalue()
    assert footnote in printed
    assert f"warning: {sentence}." in printed
    assert "| cf (a) |" in results(comparison)
    assert "still rising" in " ".join(caption(comparison).split())


def test_an_old_record_asks_the_metrics_class_for_its_direction(store):
    metrics = {"metrics": {"ndcg": {"_target_": "recsys.metrics.accuracy.NDCG"}}}
    runs = cell(store, "cf", curves=[curve(0.1, 0.2, 0.3, 0.4)], changed={"metrics": metrics})
    old = [replace(run, directions={}) for run in runs]
    assert compare(old, store, None, ["ndcg@10"]).unequal.notes == {"4 of 4 epochs, still rising": ["cf"]}
