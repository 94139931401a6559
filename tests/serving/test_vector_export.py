"""What is exported gives the model's own lists to whoever multiplies, or asks the index."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest
from rich.console import Console

import recsys
from recsys.commands.export import run as export_command
from recsys.schema import ConfigError
from recsys.serving.model import serve
from recsys.serving.ranking import rank
from recsys.serving.users import known_users
from recsys.serving.vector_export import item_vectors


def exported(run, folder, *overrides: str) -> str:
    screen = Console(file=io.StringIO(), width=160)
    export_command(recsys.compose([f"run={run.folder}", f"output={folder}", *overrides], "export"), screen)
    return screen.file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["encoder=tfidf", "ranker=dot"],
        ["encoder=tfidf", "ranker=dot", "ranker.cosine=true"],
        ["encoder=none", "ranker=cf"],
        ["encoder=tfidf", "ranker=cf", "profile=mean", "ranker.user_bias=true"],
        ["encoder=none", "ranker=cf", "profile=mean", "ranker.item_bias=false"],
        ["ranker=als"],
    ],
)
def test_the_best_of_the_index_are_the_best_of_the_model(run_of, tmp_path, overrides):
    faiss = pytest.importorskip("faiss")
    run = run_of(*overrides)
    said = exported(run, tmp_path, "users=all")
    assert "items.parquet, items.faiss, users.parquet" in said
    items, users = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("items", "users"))
    index = faiss.read_index(str(tmp_path / "items.faiss"))
    scores, found = index.search(np.ascontiguousarray(users["vector"].to_numpy()), items.height)
    served = serve(run)
    expected = rank(served, known_users(served), 10)
    ids = items["item_id"].to_numpy()
    for user in (0, 7, 41, 76):
        new = ~np.isin(ids[found[user]], users["known"][user].to_list())
        np.testing.assert_allclose(scores[user][new][:10], expected.scores[user].numpy(), rtol=1e-4, atol=1e-5)
        by_index = dict(zip(found[user].tolist(), scores[user].tolist(), strict=True))
        kept = [by_index[item] for item in expected.items[user].tolist()]
        np.testing.assert_allclose(kept, expected.scores[user].numpy(), rtol=1e-4, atol=1e-5)
    assert users["known"].list.len().to_list() == known_users(served).history.lengths.tolist()


def test_new_items_are_exported_behind_the_catalogue(dot_run, tmp_path):
    path = tmp_path / "new.csv"
    dot_run.split.dataset.items.head(2).select(pl.col("item_id") + "-again", "title", "genres").write_csv(path)
    exported(dot_run, tmp_path, f"items={path}", "index=null", "tower=pt2")
    items = pl.read_parquet(tmp_path / "items.parquet")
    np.testing.assert_allclose(items["vector"].to_numpy()[-2:], items["vector"].to_numpy()[:2], atol=1e-5)
    assert items["item_id"].to_list()[-2:] == [f"{item_id}-again" for item_id in items["item_id"].to_list()[:2]]
    assert not (tmp_path / "items.faiss").exists()


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [["encoder=tfidf", "ranker=mlp", "profile=attention"], ["ranker=itemknn"]])
def test_scores_that_are_no_products_are_refused(run_of, overrides):
    with pytest.raises(ConfigError, match=r"the scores of ranker=(mlp|itemknn) are none"):
        item_vectors(serve(run_of(*overrides)))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("index=annoy", "index is 'annoy'; expected faiss"),
        ("users=42", "users is 42"),
        ("data.encoding={a: 1}", r"data\.encoding={"),
    ],
)
def test_what_cannot_be_written_is_refused(dot_run, tmp_path, override, message):
    with pytest.raises(ConfigError, match=message):
        exported(dot_run, tmp_path, override)


def test_without_faiss_its_installation_is_told(dot_run, tmp_path, monkeypatch):
    monkeypatch.setattr("recsys.commands.export.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "recsys-experiments\[serve\]"'):
        exported(dot_run, tmp_path)
