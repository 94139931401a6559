"""Files of items that the run never saw."""

from __future__ import annotations

import io

import polars as pl
import pytest
from rich.console import Console

import recsys
from recsys.commands.recommend import run as recommend_command
from recsys.data.sources.movielens_small import MovieLensSmallSource
from recsys.schema import ConfigError, DataError
from recsys.serving.model import serve
from recsys.serving.new_items import check_serves_new_items, read_items, template_of

CATALOGUE = pl.DataFrame(
    {
        "item_id": ["10", "20"],
        "title": ["Alien", "Heat"],
        "year": [1979, 1995],
        "categories": [["Horror"], ["Crime"]],
        "text": ["Alien. Horror", "Heat. Crime"],
    }
)
TEMPLATE = "{title}. {genres}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("new.csv", "item_id,title,genres,year\n7,Dune,Sci-Fi|War,2021\n8,Jaws,,\n"),
        (
            "new.jsonl",
            '{"item_id": 7, "title": "Dune", "genres": ["Sci-Fi", "War"], "year": 2021}\n'
            '{"item_id": 8, "title": "Jaws", "genres": [], "year": null}\n',
        ),
    ],
)
def test_texts_are_made_as_those_of_the_data(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    found = read_items(tmp_path / name, CATALOGUE, TEMPLATE)
    assert found["item_id"].to_list() == ["7", "8"]
    assert found["text"].to_list() == ["Dune. Sci-Fi, War", "Jaws"]
    assert found["year"].to_list() == [2021, None]
    assert found["categories"].to_list()[0] == ["Sci-Fi", "War"]
    assert found.schema["year"] == pl.Int64


def test_a_text_of_its_own(tmp_path):
    (tmp_path / "new.csv").write_text("item_id,text\n7,A desert planet\n")
    for template in (TEMPLATE, None):
        assert read_items(tmp_path / "new.csv", CATALOGUE, template)["text"].to_list() == ["A desert planet"]


def test_the_datas_own_films_as_new_ones_have_the_same_texts(tmp_path):
    films = MovieLensSmallSource().read().items.filter(pl.col("text") != "")
    again = films.select(pl.col("item_id") + "-again", "title", genres="categories")
    again.write_ndjson(tmp_path / "new.jsonl")
    again.with_columns(pl.col("genres").list.join("|")).write_csv(tmp_path / "new.csv")
    for name in ("new.jsonl", "new.csv"):
        assert read_items(tmp_path / name, films, TEMPLATE)["text"].to_list() == films["text"].to_list()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("item_id,text\n", "has no rows"),
        ("id,text\n7,a\n", "has no column 'item_id'; it has id, text"),
        ("item_id,text\n7,a\n7,b\n", "row 2: found the id '7' again"),
        ("item_id,text\n7,a\n20,b\n", "row 2: found the id '20' which is an item of the run's data already"),
        ("item_id,text\n7,a\n8,\n", r"row 2 \(id '8'\) has no text"),
        ("item_id,title\n7,a\n", r"expected the columns title, genres \(for the data's template .*\) or text"),
        ("item_id,text,year\n7,a,old\n", "column 'year' is String and does not fit the data's, Int64"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, content, message):
    (tmp_path / "new.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_items(tmp_path / "new.csv", CATALOGUE, TEMPLATE)


@pytest.fixture
def new_items(tmp_path, dot_run):
    """The first three films once more, under new ids, and a text that no word is known of."""
    path = tmp_path / "new.csv"
    items = dot_run.split.dataset.items.head(3).select(pl.col("item_id") + "-again", "title", "genres")
    pl.concat([items, pl.DataFrame({"item_id": ["odd"], "title": ["qwxz"], "genres": [""]})]).write_csv(path)
    return path


def recommended(run, *overrides: str) -> tuple[str, pl.DataFrame]:
    screen, path = Console(file=io.StringIO(), width=160), run.folder / "recommended.parquet"
    recommend_command(recsys.compose([f"run={run.folder}", f"output={path}", *overrides], "recommend"), screen)
    return screen.file.getvalue(), pl.read_parquet(path)


@pytest.mark.slow
def test_new_items_are_ranked_with_the_catalogue_or_alone(dot_run, new_items):
    said, alone = recommended(dot_run, "user=42", f"items={new_items}", "catalogue=false")
    assert "4 new items" in said
    assert "the encoder knows no word of 1 of them, first 'odd'" in said
    assert set(alone["item_id"]) == {*pl.read_csv(new_items)["item_id"]}
    _, together = recommended(dot_run, "user=42", f"items={new_items}", "top_k=1000")
    scores = dict(together.select("item_id", "score").iter_rows())
    expected = dict(recsys.recommend(dot_run, "42", top_k=1000).select("item_id", "score").iter_rows())
    assert {key: scores[key] for key in expected} == pytest.approx(expected, abs=1e-5)
    for item_id in alone["item_id"]:
        original = item_id.removesuffix("-again")
        if original in expected:
            assert scores[item_id] == pytest.approx(expected[original], abs=1e-5)


def test_new_items_may_stand_in_a_history_beside_words(dot_run, new_items):
    first = dot_run.split.dataset.items["item_id"][0]
    _, new = recommended(dot_run, f"history=[{first}-again]", "text=comedy", f"items={new_items}", "top_k=1000")
    _, old = recommended(dot_run, f"history=[{first}]", "text=comedy", "top_k=1000")
    kept = dict(new.select("item_id", "score").iter_rows())
    assert f"{first}-again" not in kept
    for item_id, score in old.select("item_id", "score").iter_rows():
        assert kept[item_id] == pytest.approx(score, abs=1e-5)


def test_a_catalogue_that_is_left_out_needs_new_items(dot_run, new_items):
    with pytest.raises(ConfigError, match="name their file by items="):
        recommended(dot_run, "user=42", "catalogue=false")
    with pytest.raises(ConfigError, match="excludes all of them"):
        recommended(dot_run, "user=42", "catalogue=false", f"items={new_items}", "where=\"item_id = '1'\"")


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides", [["encoder=none", "ranker=cf"], ["ranker=ease"], ["encoder=tfidf", "ranker=itemknn"]]
)
def test_models_that_know_items_by_id_alone_say_so(run_of, overrides):
    with pytest.raises(ConfigError, match="which represents only the items that it was trained on"):
        check_serves_new_items(serve(run_of(*overrides)))


def test_the_template_is_the_datas(dot_run):
    assert template_of(dot_run.cfg) == TEMPLATE
    assert template_of(recsys.compose(["data=movielens_small"])) == TEMPLATE
    assert template_of(recsys.compose(["data=synthetic"])) is None
