"""What profiles look like: nearest items, telling words, clusters, favourites, map, page."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from rich.console import Console

import recsys
from recsys.commands.profiles import run as profiles_command
from recsys.data.ragged import ItemLists
from recsys.data.written_texts import texts_hash
from recsys.reports.profiles import profiles_page
from recsys.schema import ConfigError
from recsys.serving.profile_map import PortraitSettings, portraits
from recsys.serving.top_terms import favourites, telling_words
from recsys.serving.users import known_users
from recsys.serving.written_profiles import with_written

SETTINGS = PortraitSettings(n_clusters=3, n_items=2, n_words=3, n_read=10, perplexity=10, seed=0)


@pytest.fixture(scope="module")
def found(served):
    return portraits(served, known_users(served), SETTINGS)


@torch.no_grad()
def test_nearest_items_are_those_of_the_highest_score_above_the_mean(served, found):
    users = known_users(served)
    batch = users.batch(np.arange(len(users)), served.max_history)
    scores = served.model.score_catalogue(batch, served.item_vectors)
    above = scores - scores.mean(dim=0)
    for row in (0, 17, 60):
        expected = served.titles.gather(above[row].topk(2).indices.numpy()).to_list()
        assert found.users["nearest"][row].to_list() == expected
    for cluster in (1, 2, 3):
        members = torch.from_numpy((found.users["cluster"] == cluster).to_numpy())
        expected = served.titles.gather(above[members].mean(dim=0).topk(2).indices.numpy()).to_list()
        assert found.clusters["nearest"][cluster - 1].to_list() == expected


def test_clusters_are_of_like_profiles_the_largest_first(served, found):
    sizes = found.clusters["n_users"].to_list()
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == found.users.height
    users = known_users(served)
    with torch.no_grad():
        batch = users.batch(np.arange(len(users)), served.max_history)
        unit = torch.nn.functional.normalize(served.model.user_side(batch, served.item_vectors, batch.history).vectors)
    label = found.users["cluster"].to_torch()
    same = label.unsqueeze(0) == label.unsqueeze(1)
    cosines = unit @ unit.T
    assert cosines[same].mean() > cosines[~same].mean()


def test_the_history_is_told_newest_first(served, found):
    known = known_users(served).history[5]
    assert found.users["newest"][5].to_list() == served.titles.gather(known[::-1][:2]).to_list()
    assert found.users["n_known"][5] == len(known)


def test_it_is_the_same_twice(served, found):
    again = portraits(served, known_users(served), SETTINGS)
    assert again.users.equals(found.users)


def test_telling_words_are_those_above_the_mean():
    texts = ["red moon 1999", "red sea", "blue sea", "blue sky"]
    (words,) = telling_words(texts, [np.array([[0, 1], [1, 2], [0, 3]])], 2)
    assert words[0] == ["red", "moon"]  # red is in both of its texts; a number is no word
    assert words[1][0] == "sea"
    assert telling_words(["1", ""], [np.array([[0]])], 2) == [[[]]]


def test_a_favourite_is_what_is_above_the_mean_share():
    items = pl.DataFrame({"categories": [["Drama"], ["Drama", "War"], ["Comedy"]]})
    lists = ItemLists(np.array([0, 2, 4, 6]), np.array([0, 0, 0, 1, 0, 2], dtype=np.int32))
    # Shares of Drama: 1, 2/3, 1/2; mean 13/18. Of War: 0, 1/3, 0; of Comedy: 0, 0, 1/2.
    assert favourites(items, lists) == ["Drama", "War", "Comedy"]
    assert favourites(items.drop("categories"), lists) == ["", "", ""]


@pytest.mark.slow
@pytest.mark.parametrize("favourite", ["Drama", ""])
def test_the_page_shows_every_user_and_names_cannot_break_out(found, favourite):
    hostile = "</script><script>alert(1)</script>"
    users = found.users.with_columns(favourite=pl.lit(favourite), newest=pl.lit([hostile], dtype=pl.List(pl.String)))
    page = profiles_page(users, found.clusters, "Profiles", "of a run")
    assert hostile not in page
    specs = json.loads(re.search(r'<script type="application/json" id="specs">(.*?)</script>', page, re.DOTALL)[1])
    assert list(specs) == (["clusters_map", "favourites_map"] if favourite else ["clusters_map"])
    rows = specs["clusters_map"]["datasets"]["rows"]
    assert len(rows) == users.height
    assert rows[0]["newest"] == hostile


def test_the_command_writes_a_page_of_some_users(dot_run, tmp_path):
    screen = Console(file=io.StringIO(), width=200)
    asked = [f"run={dot_run.folder}", f"output={tmp_path}/p.html", "n_users=30", "n_clusters=2"]
    profiles_command(recsys.compose(asked, "profiles"), screen)
    assert "30 of 77 users, drawn by seed 0 in 2 clusters" in screen.file.getvalue()
    assert "30 of 77 users" in (tmp_path / "p.html").read_text()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("n_clusters=8", "n_clusters is 8; expected a whole number from 2 to 7"),
        ("n_users=3", "n_users is 3; expected a whole number of at least 10"),
        ("perplexity=0", "perplexity is 0"),
        ("written=[a.parquet]", "expected a parquet of recsys write users, or null"),
        ("output=p.pdf", "expected a file that ends in .html"),
    ],
)
def test_impossible_values_are_refused_before_the_run_is_loaded(override, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        profiles_command(recsys.compose(["run=none", override], "profiles"))


def plant(path, table, about):
    """A file of written texts with its provenance."""
    table.write_parquet(path)
    path.with_suffix(".yaml").write_text(yaml.safe_dump({"about": about, "texts_sha256": texts_hash(table)}))
    return str(path)


def test_written_profiles_are_beside_the_learnt_ones(dot_run, found, tmp_path):
    users = found.users
    table = pl.DataFrame({"user_id": [users["user_id"][3], "nobody"], "written": ["Likes <noir>.", "-"]})
    shown = with_written(users, dot_run, plant(tmp_path / "users.parquet", table, "users"))
    assert shown["user_id"].equals(users["user_id"])
    assert shown["written"].drop_nulls().to_list() == ["Likes <noir>."]
    assert shown["written"][3] == "Likes <noir>."
    page = profiles_page(shown, found.clusters, "Profiles", "of a run")
    assert "written profile" in page
    assert "Likes &lt;noir&gt;." in page
    assert "written profile" not in profiles_page(users, found.clusters, "Profiles", "of a run")


def test_written_texts_about_others_are_errors(dot_run, found, tmp_path):
    assert with_written(found.users, dot_run, None) is found.users
    nobody = pl.DataFrame({"user_id": ["nobody"], "written": ["-"]})
    with pytest.raises(ConfigError, match="no text about any of the"):
        with_written(found.users, dot_run, plant(tmp_path / "users.parquet", nobody, "users"))
    items = pl.DataFrame({"item_id": ["1"], "written": ["-"]})
    with pytest.raises(ConfigError, match="is about items"):
        with_written(found.users, dot_run, plant(tmp_path / "items.parquet", items, "items"))


def test_a_run_without_profiles_is_refused(run_of, tmp_path):
    run = run_of("ranker=popularity")
    with pytest.raises(ConfigError, match="ranker=popularity has no user profile"):
        profiles_command(recsys.compose([f"run={run.folder}", f"output={tmp_path}/p.html"], "profiles"))
