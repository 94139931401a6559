"""After validation the chosen setting is fitted once more, so that every model that is tested knows the same."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime

import polars as pl
import pytest
import torch
from commands import run
from smoke.killed_run import kill_after

import recsys
from recsys.data.queries import histories
from recsys.experiment.evaluation import evaluate_again
from recsys.experiment.refitting import refit_run
from recsys.schema import ConfigError, UserBatch
from recsys.tracking.store import Store
from recsys.training.batches import TensorLists

READS_HISTORIES = ["ranker=itemknn"]
READS_NO_HISTORY = ["encoder=none", "ranker=cf", "features.dim=8", "learning_rate=0.05", "trainer.max_epochs=30"]
PLANTED = "planted"


@pytest.fixture
def planted_data(tmp_path):
    """Two groups of users with ten films each; of one more user only the validation item tells the group."""

    def make(validation_item: str) -> list[str]:
        rows = [
            (f"{group}{user}", f"{group}{(user + place) % 10}", 10 + place)
            for group in "ab"
            for user in range(20)
            for place in range(8)
        ]
        rows += [(f"{group}{user}", "everybody's", 1) for group in "ab" for user in range(20)]
        rows += [(PLANTED, "everybody's", 1), (PLANTED, validation_item, 2), (PLANTED, "a9", 3)]
        folder = tmp_path / validation_item
        folder.mkdir(exist_ok=True)
        frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
        frame.write_csv(folder / "log.csv")
        return [
            "data=table",
            f"data.path={folder}",
            "data.interactions.file=log.csv",
            "data.interactions.timestamp=timestamp",
            "split=leave_last_out",
            f"paths.runs_dir={tmp_path / 'runs'}",
            "trainer.enable_progress_bar=false",
        ]

    return make


@pytest.mark.slow
def test_vectors_that_a_run_encoded_are_not_said_to_be_cached(planted_data, tmp_path):
    texts = pl.DataFrame({"item_id": [f"{group}{n}" for group in "ab" for n in range(10)] + ["everybody's"]})
    data = [*planted_data("a8"), f"paths.cache_dir={tmp_path / 'cache'}", "data.items.file=items.csv"]
    texts.with_columns(title="item_id").write_csv(tmp_path / "a8" / "items.csv")
    record = recsys.run([*data, "data.items.template='{title}'", "encoder=random", "ranker=ease"]).record
    assert record.fitted_on["parts"] == ["train", "val"]  # the refit reads the vectors of the selection
    assert record.encoding["cached"] is False


def scores_of_the_planted_user(run) -> dict[str, float]:
    dataset = run.split.dataset
    user = dataset.users["user_id"].to_list().index(PLANTED)
    idx = torch.tensor([user])
    users = UserBatch(idx, *TensorLists(histories(run.split, "test")).newest(idx, None, 10**6))
    with torch.no_grad():
        scores = run.model.score_catalogue(users, run.model.item_vectors(dataset.n_items))[0]
    return dict(zip(dataset.items["item_id"], scores.tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("cell", [READS_HISTORIES, READS_NO_HISTORY], ids=["histories", "no history"])
@pytest.mark.parametrize("knowledge", ["train", "refit"])
def test_both_kinds_of_models_know_the_validation_item_or_neither_does(planted_data, cache_dir, cell, knowledge):
    chosen = [*cell, f"test_knowledge={knowledge}", "callbacks=none", f"paths.cache_dir={cache_dir}"]
    of_a, of_b = (scores_of_the_planted_user(recsys.run([*planted_data(item), *chosen])) for item in ("a0", "b0"))
    lead_of_a, lead_of_b = (scores["a9"] - scores["b9"] for scores in (of_a, of_b))
    if knowledge == "train":
        assert of_a == of_b
    else:
        assert lead_of_a > 0 > lead_of_b


CELL = ["encoder=tfidf", "ranker=mlp", "profile=transformer", "features.dim=8", "trainer.max_epochs=2"]
CELL += ["test_knowledge=refit"]


def small_run(small_data, cache_dir, folder, *extra):
    return recsys.run([*small_data, *CELL, f"paths.cache_dir={cache_dir}", f"paths.runs_dir={folder}", *extra])


@pytest.fixture(scope="module")
def refitted(small_data, cache_dir, tmp_path_factory):
    return small_run(small_data, cache_dir, tmp_path_factory.mktemp("refitted"))


@pytest.fixture
def alone(refitted, tmp_path):
    """The refitted run in a store of the test's own."""
    shutil.copytree(refitted.folder, tmp_path / "runs" / refitted.record.run_id)
    return recsys.load(tmp_path / "runs" / refitted.record.run_id)


@pytest.mark.slow
def test_the_record_keeps_validation_the_cost_of_the_refit_and_what_the_model_knows(
    refitted, small_data, cache_dir, tmp_path
):
    once = small_run(small_data, cache_dir, tmp_path, "test_knowledge=train")
    split = recsys.load(once.folder).split
    of_validation = {name: value for name, value in once.record.metrics.items() if name.startswith("val/")}
    assert of_validation
    assert of_validation.items() <= refitted.record.metrics.items()
    assert refitted.record.curve == once.record.curve
    newest = max(split.train["timestamp"].max(), split.validation["timestamp"].max())
    best = max(once.record.curve, key=lambda line: line["val/ndcg@10"])["epoch"] + 1
    assert refitted.record.fitted_on == {
        "parts": ["train", "val"],
        "interactions": split.train.height + split.validation.height,
        "until": datetime.fromtimestamp(newest / 1e6, UTC).isoformat(),
        "epochs": best,
    }
    assert once.record.fitted_on["interactions"] == split.train.height
    assert refitted.record.times["refit"] > 0
    assert "refit" not in once.record.times
    assert refitted.record.protocol["test_knowledge"] == "refit"
    assert refitted.record.protocol_fingerprint != once.record.protocol_fingerprint
    assert refitted.record.metrics["test/ndcg@10"] != once.record.metrics["test/ndcg@10"]


@pytest.mark.slow
def test_the_refit_is_a_fit_on_train_and_validation_for_the_chosen_epochs(refitted, small_data, cache_dir, tmp_path):
    by_hand = small_run(
        small_data,
        cache_dir,
        tmp_path,
        "split.validation_share=0",
        f"trainer.max_epochs={refitted.record.fitted_on['epochs']}",
        "callbacks=none",
    )
    assert by_hand.split.train.height == refitted.split.train.height
    tested = {name: value for name, value in refitted.record.metrics.items() if name.startswith("test/")}
    assert tested == by_hand.record.metrics
    assert by_hand.record.fitted_on["parts"] == ["train"]


@pytest.mark.slow
def test_a_reopened_refit_tests_the_same(refitted):
    again = evaluate_again(recsys.load(refitted.folder))
    assert again == {name: value for name, value in refitted.record.metrics.items() if name.startswith("test/")}


def test_tuning_never_refits(small_data, cache_dir, tmp_path):
    trials = [
        small_run(small_data, cache_dir, tmp_path, "test=false", f"test_knowledge={value}")
        for value in ("refit", "train")
    ]
    assert trials[0].record == trials[1].record
    assert "refit" not in trials[0].record.times
    assert trials[0].record.fitted_on["parts"] == ["train"]


@pytest.mark.slow
def test_a_run_killed_in_the_refit_ends_as_if_never_killed(small_data, cache_dir, tmp_path):
    epochs = ["trainer.max_epochs=4", "callbacks.early_stopping.patience=4"]
    whole = small_run(small_data, cache_dir, tmp_path / "whole", *epochs)
    killed = tmp_path / "killed"
    settings = [*small_data, *CELL, *epochs, f"paths.cache_dir={cache_dir}", f"paths.runs_dir={killed}"]
    kill_after(killed / whole.record.run_id / "checkpoints" / "refit" / "last.ckpt", killed, *settings)
    resumed = small_run(small_data, cache_dir, killed, *epochs)
    for name in ("metrics", "segments", "curve", "epochs", "fitted_on"):
        assert getattr(resumed.record, name) == getattr(whole.record, name)
    stores = [Store(run.folder.parent).per_user(run.record.run_id) for run in (whole, resumed)]
    assert stores[0].equals(stores[1])
    assert not (resumed.folder / "checkpoints").exists()


@pytest.mark.slow
def test_a_model_for_production_is_fitted_on_everything_and_compared_with_nothing(alone, cache_dir, tmp_path):
    tested, made = alone, refit_run(alone)
    assert made.record.metrics == {}
    assert (bool(tested.record.config["logger"]), made.record.config["logger"]) == (True, None)
    assert made.record.fitted_on["interactions"] == tested.split.dataset.interactions.height
    assert made.record.fitted_on["epochs"] == tested.record.fitted_on["epochs"]
    user = tested.split.dataset.users["user_id"][0]
    known = made.split.dataset.interactions.filter(pl.col("user") == 0)["item"]
    recommended = set(recsys.recommend(made, user, 20)["item_id"])
    assert not recommended & set(made.split.dataset.items["item_id"].gather(known))
    paths = [f"runs_dir={tmp_path / 'runs'}", f"output={tmp_path / 'report'}", "formats=[csv]"]
    compared = run("compare", *paths, cwd=tmp_path, cache=cache_dir)
    assert compared.returncode == 0, compared.stderr
    assert pl.read_csv(tmp_path / "report" / "table.csv").height == 1
    with pytest.raises(ConfigError, match="is fitted on all interactions already"):
        refit_run(made)


@pytest.mark.slow
def test_the_refit_command_says_what_the_model_knows(alone, cache_dir, tmp_path):
    arguments = [f"run={alone.record.run_id}", f"paths.runs_dir={tmp_path / 'runs'}"]
    finished = run("refit", *arguments, cwd=tmp_path, cache=cache_dir)
    assert finished.returncode == 0, finished.stderr
    assert "the test part included: it has no test metrics and is in no comparison" in finished.stdout
    (made,) = re.findall(r"Next: recsys recommend run=(\w+)", finished.stdout)
    shown = run("recommend", f"run={made}", "users=all", arguments[1], cwd=tmp_path, cache=cache_dir)
    assert "evaluate" not in shown.stdout  # which would be refused
    refused = run("refit", *arguments, "on=test", cwd=tmp_path, cache=cache_dir)
    assert refused.returncode == 2
    assert "on is 'test'; expected all" in refused.stderr


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["test_knowledge=val"], "test_knowledge is 'val'; expected refit"),
        (["test_knowledge=all"], "leaves nothing to validate or test: use recsys refit"),
    ],
)
def test_an_impossible_test_knowledge_is_refused_before_data_is_read(overrides, message):
    with pytest.raises(ConfigError, match=message):
        recsys.run(["ranker=popularity", *overrides])
