"""Runs on data that logs what was shown: files as MIND publishes them, whose users click on one topic alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recsys
from recsys.schema import ConfigError

TOPICS = {"sports": "goal striker league cup coach", "food": "bread oven soup chef spice"}
N_USERS, N_NEWS, SHOWN = 40, 30, 6


def write_folder(folder: Path, days: list[int], generator: np.random.Generator) -> None:
    """One impression for each user and day, with one click: the only news of the user's topic that is shown."""
    folder.mkdir()
    names = list(TOPICS)
    texts = [generator.permutation(TOPICS[names[news % 2]].split()) for news in range(N_NEWS)]
    rows = [f"N{news}\t{names[news % 2]}\t\t{' '.join(texts[news])}\t\t\t[]\t[]" for news in range(N_NEWS)]
    (folder / "news.tsv").write_text("\n".join(rows) + "\n")
    behaviors = []
    for day in days:
        for user in range(N_USERS):
            own, other = (generator.permutation(np.arange(start % 2, N_NEWS, 2)) for start in (user, user + 1))
            shown = generator.permutation([f"N{own[0]}-1", *(f"N{news}-0" for news in other[: SHOWN - 1])])
            history = " ".join(f"N{news}" for news in own[1:4])
            behaviors.append(f"{len(behaviors)}\tU{user}\t11/{day}/2019 9:00:00 AM\t{history}\t{' '.join(shown)}")
    (folder / "behaviors.tsv").write_text("\n".join(behaviors) + "\n")


@pytest.fixture(scope="module")
def settings(tmp_path_factory, cache_dir) -> list[str]:
    folder, generator = tmp_path_factory.mktemp("MIND"), np.random.default_rng(0)
    write_folder(folder / "MINDsmall_train", [9, 10, 11, 12], generator)
    write_folder(folder / "MINDsmall_dev", [13], generator)
    paths = [f"data.path={folder}", f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path_factory.mktemp('runs')}"]
    quick = ["trainer.max_epochs=1", "trainer.enable_progress_bar=false", "batches.batch_size=8"]
    return ["experiment=mind", *paths, *quick]


@pytest.fixture(scope="module")
def run(settings):
    return recsys.run([*settings, "encoder=tfidf", "ranker=dot"])


def test_each_impression_is_measured_by_itself(run):
    table = pl.read_parquet(run.folder / "per_user.parquet")
    assert table.height == N_USERS
    assert table["n_history"].to_list() == [3] * N_USERS
    assert table["n_positives"].to_list() == [1] * N_USERS
    for metric in ("auc", "mrr", "mind_mrr", "ndcg@5", "ndcg@10"):
        assert run.record.metrics[f"test/{metric}"] == pytest.approx(table[metric].mean(), abs=1e-6)


def test_the_only_click_makes_the_metrics_functions_of_its_rank(run):
    table = pl.read_parquet(run.folder / "per_user.parquet")
    rank = (1 / table["mrr"]).round()
    assert rank.is_between(1, SHOWN).all()
    np.testing.assert_allclose(table["auc"], (SHOWN - rank) / (SHOWN - 1), atol=1e-6)
    np.testing.assert_allclose(table["ndcg@10"], 1 / np.log2(1 + rank.to_numpy()), atol=1e-6)
    np.testing.assert_allclose(table["mind_mrr"], table["mrr"], atol=1e-6)


def test_texts_tell_what_is_clicked(run):
    assert run.record.protocol["split"] == "given"
    assert run.record.metrics["test/auc"] > 0.9  # 1/2 is chance


@pytest.mark.slow
def test_a_text_of_what_a_user_read_tells_what_is_clicked(settings):
    """Each impression has a history of its own, and so a text of its own."""
    read = recsys.run([*settings, "encoder=tfidf", "ranker=dot", "profile=text"])
    assert read.record.metrics["test/auc"] > 0.9
    assert read.record.encoding["users"]["test"]["n_read"] == N_USERS


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["nrms", "naml", "lstur"])
def test_published_models_learn_what_is_clicked(experiment, settings):
    quick = [*settings[1:], "trainer.max_epochs=3", "features.dim=16"]
    made = recsys.run([f"experiment={experiment}", *quick])
    assert made.record.metrics["test/auc"] > 0.8


def test_popularity_ranks_what_was_shown(settings):
    floor = recsys.run([*settings, "ranker=popularity", "negatives=none"])
    assert 0.3 < floor.record.metrics["test/auc"] < 0.7  # both topics are clicked alike


def test_another_split_is_refused(settings):
    with pytest.raises(ConfigError, match="mind has impressions, which bring their own split: use split=given"):
        recsys.run([*settings, "split=temporal"])


@pytest.mark.slow
def test_a_language_model_scores_what_was_shown(settings, tiny_decoder):
    prompt = [*settings, "negatives=none", "ranker=prompt", *tiny_decoder["prompt"]]
    with pytest.raises(ConfigError, match=r"data=mind lists the candidates .* set ranker\.retriever=null"):
        recsys.run(prompt)
    run = recsys.run([*prompt, "ranker.retriever=null", "trainer.limit_val_batches=0"])
    assert not any(name.startswith("val/") for name in run.record.metrics)
    assert 0 < run.record.metrics["test/ndcg@10"] < 1
    assert (run.record.ranking["n_users"], run.record.ranking["candidates_mean"]) == (5, SHOWN)
