from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import published  # noqa: E402

import recsys  # noqa: E402
from recsys.config.compatibility import check  # noqa: E402

USERS, ITEMS = range(12), range(10)


@pytest.fixture
def folder(tmp_path):
    """Made-up files in the layouts of Amazon-2014's 5-core reviews and of MovieLens-1M."""
    events = [(user, (user + step) % len(ITEMS), 1_000_000 + step) for user in USERS for step in range(6)]
    with gzip.open(tmp_path / "reviews_Beauty_5.json.gz", "wt") as file:
        for user, item, time in events:
            row = {"reviewerID": f"A{user}", "asin": f"B{item}", "overall": 5.0, "unixReviewTime": time}
            file.write(json.dumps(row) + "\n")
    ratings = "".join(f"{user + 1}::{item + 1}::5::{time}\n" for user, item, time in events)
    (tmp_path / "ratings.dat").write_text(ratings)
    (tmp_path / "movies.dat").write_text("".join(f"{item + 1}::Film {item} (1999)::Drama\n" for item in ITEMS))
    (tmp_path / "users.dat").write_text("".join(f"{user + 1}::F::25::3::12345\n" for user in USERS))
    return tmp_path


@pytest.mark.slow
def test_ours_is_printed_beside_the_published_value(folder, capsys):
    tiny = ["trainer.max_epochs=1", "test_knowledge=train", "features.dim=4"]
    figures = folder / "figures.json"
    published.main([str(folder), "--models", "esasrec", "--json", str(figures), "--overrides", *tiny])
    beauty, films = json.loads(figures.read_text())
    assert (beauty["data"], films["data"]) == ("beauty", "ml-1m")
    assert beauty["published"] == {"hit_rate@10": 0.0928, "ndcg@10": 0.0523}
    assert len(films["ours by seed"]) == 1
    assert 0 <= films["ours by seed"][0]["ndcg@10"] <= films["ours by seed"][0]["hit_rate@10"] <= 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "eSASRec differs from ours" in shown


def test_a_folder_without_known_files_raises_an_error(tmp_path):
    with pytest.raises(SystemExit, match=r"reviews_Beauty_5\.json"):
        published.main([str(tmp_path)])


def test_an_incomplete_folder_raises_an_error_that_names_the_missing_files(tmp_path):
    (tmp_path / "ratings.dat").write_text("1::1::5::978300760\n")
    with pytest.raises(SystemExit, match=r"ml-1m, \w+: .*has no movies\.dat"):
        published.main([str(tmp_path)])


@pytest.mark.parametrize("row", published.PUBLISHED, ids=lambda row: f"{row.source}-{row.data}-{row.model}")
def test_settings_compose(row):
    check(recsys.compose(published.settings(row)))


@pytest.mark.slow
def test_a_model_of_texts_needs_their_file(folder, capsys):
    tiny = ["trainer.max_epochs=1", "encoder=tfidf", "ranker.codes.n_codes=4", "ranker.dim=8", "ranker.n_layers=1"]
    arguments = [str(folder), "--models", "tiger", "lightgcn", "--json", str(folder / "figures.json")]
    published.main([*arguments, "--overrides", "trainer.max_epochs=1"])
    assert "beauty, tiger is left out: it needs texts, meta_Beauty.json" in " ".join(capsys.readouterr().out.split())
    assert [row["model"] for row in json.loads((folder / "figures.json").read_text())] == ["lightgcn"]
    products = [{"asin": f"B{item}", "title": f"Soap {item}", "description": "", "categories": []} for item in ITEMS]
    (folder / "meta_Beauty.json").write_text("".join(f"{json.dumps(product)}\n" for product in products))
    published.main([*arguments[:2], "tiger", *arguments[4:], "--overrides", *tiny])
    assert [row["model"] for row in json.loads((folder / "figures.json").read_text())] == ["tiger"]
