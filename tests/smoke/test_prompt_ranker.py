"""A language model as the ranker, in whole runs: ranked, recorded, reopened, refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from full import only_full
from rich.console import Console
from safetensors.torch import load_file

import recsys
from recsys import schema
from recsys.config.compatibility import check
from recsys.experiment.evaluation import evaluate_again
from recsys.experiment.finished import Run
from recsys.experiment.record_fields import protocol
from recsys.experiment.run_identity import identify
from recsys.reports.summary import print_run
from recsys.schema import ConfigError


@pytest.fixture(scope="module")
def overrides(small_data, tiny_decoder, cache_dir, tmp_path_factory):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path_factory.mktemp('prompt')}"]
    return [*small_data, "ranker=prompt", *tiny_decoder["prompt"], *paths, "metrics.val=[ndcg@10]"]


@pytest.fixture(scope="module")
def run(overrides):
    return recsys.run([*overrides, "encoder=tfidf", "ranker.prompt.n_examples=1"])


@pytest.mark.slow
def test_a_run_says_what_it_scored_by_and_reopens_the_same(run):
    again = evaluate_again(run)
    assert again == {name: value for name, value in run.record.metrics.items() if name.startswith("test/")}
    assert 0 < again["test/ndcg@10"] < 1
    ranking = run.record.ranking
    assert (ranking["n_users"], ranking["candidates_mean"]) == (5, 5.0)
    assert ranking["language_model"]["sha256"]
    assert all(-1 <= value <= 1 for value in ranking["rank_correlation"].values())
    assert run.record.times["fit"] > 0
    assert run.weights.stat().st_size < 1_000_000


@pytest.mark.slow
def test_a_test_that_was_cut_short_has_another_protocol(run, overrides):
    cut = ["trainer.limit_test_batches=1"]
    whole, short = (protocol(recsys.compose([*overrides, *more]), run.split) for more in ([], cut))
    assert whole == run.record.protocol
    assert short == {**whole, "limit_test_batches": 1, "max_scores": 4_000_000}


def test_a_run_whose_language_model_has_changed_is_not_reopened(run):
    of_before = {**run.record.contents["language_model_content"], "sha256": "0" * 64}
    record = replace(run.record, contents={**run.record.contents, "language_model_content": of_before})
    with pytest.raises(ConfigError, match=r"ranker\.language_model: the file of vectors or weights has changed since"):
        _ = Run(record, run.folder, run.cfg).model
    assert Run(run.record, run.folder, run.cfg).model.ranker is not None


def test_the_biases_are_printed_with_the_run(run):
    console = Console(record=True, width=200)
    print_run(run, console)
    assert "Rank correlation of the scores of 5 users with: train popularity" in console.export_text()


def test_it_recommends_candidates_of_the_retriever_first(run):
    user = run.split.dataset.users["user_id"][0]
    scores = recsys.recommend(run, user, 7)["score"].to_list()
    assert [score > -1000 for score in scores] == [True] * 5 + [False] * 2


@pytest.mark.slow
@pytest.mark.parametrize("score", ["letters", pytest.param("yes_no", marks=only_full)])
def test_a_trained_model_is_fitted_again_recorded_and_reopened(overrides, score):
    given = ["ranker@ranker.retriever=popularity", f"ranker.score={score}", "ranker.training.max_epochs=1"]
    given += ["ranker.training.n_users=4", "ranker.training.target_share=0.5", "test_knowledge=refit"]
    run = recsys.run([*overrides, *given, "finetune=lora"])
    again = evaluate_again(run)
    assert again == {name: value for name, value in run.record.metrics.items() if name.startswith("test/")}
    training = run.record.ranking["training"]
    assert 0 < training["users"] <= 4
    assert training["tokens"] > training["steps"] >= 1
    saved = load_file(run.folder / "model.safetensors")
    adapters = [tensor.numel() for name, tensor in saved.items() if ".adapted." in name]
    assert run.record.parameters["trainable"] == sum(adapters) > 0
    assert run.record.fitted_on["parts"] == [schema.TRAIN, schema.VAL]


def test_other_weights_under_the_same_name_are_another_run(run, overrides, monkeypatch):
    cfg = recsys.compose([*overrides, "encoder=tfidf"])
    before = identify(cfg)
    monkeypatch.setattr("recsys.language_models.causal.content_of", lambda *_: {"sha256": "other"})
    assert identify(cfg) != before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["ranker@ranker.retriever=dot"], "ranker.retriever is DotRanker, which is trained by gradient descent"),
        (["ranker@ranker.retriever=popularity", "encoder=tfidf"], "PopularityRanker ignores encoder=tfidf"),
        (["ranker.retriever=null", "encoder=tfidf"], "ignores encoder=tfidf"),
        (["ranker@ranker.retriever=prompt"], "ranker.retriever is PromptRanker"),
        (["profile=mean"], "ignores profile=mean"),
        (["loss=bpr"], "omit loss=bpr"),
        (["finetune=delta"], "ignores finetune=delta"),
    ],
)
def test_what_makes_no_sense_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        check(recsys.compose(["ranker=prompt", *given]))
