import hashlib
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest
from data.raw_ids import named_rows

from recsys.data.sources import movielens
from recsys.data.sources.movielens import MovieLensSource
from recsys.data.sources.movielens_small import FOLDER, MovieLensSmallSource
from recsys.schema import ConfigError, DataError

FIXTURES = Path(__file__).parent / "fixtures"
RELEASES = ["ml-100k", "ml-1m", "ml-10m", "ml-csv"]


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{folder.name}/{file.name}")
    return target


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_gives_the_same_pairs(release):
    data = MovieLensSource(str(FIXTURES / release)).read()
    assert sorted(data.users["user_id"]) == ["1", "10", "2", "9"]
    assert sorted(data.items["item_id"]) == ["1", "2", "3", "4", "5"]
    pairs = ["1 1", "1 2", "1 4", "10 1", "10 2", "10 3", "2 3", "2 5", "9 1", "9 4"]
    assert [f"{user} {item}" for user, item in named_rows(data)] == pairs
    offset = 0.5 if release in ("ml-10m", "ml-csv") else 0
    rows = named_rows(data, "value", "timestamp")
    assert [row[2] for row in rows] == [r - offset for r in (5, 3, 4, 4, 5, 2, 4, 1, 3, 5)]
    assert [row[3] for row in rows[:3]] == [881250949_000000, 881250955_000000, 881250960_000000]


@pytest.mark.parametrize("release", RELEASES)
def test_texts_and_genres(release):
    items = MovieLensSource(str(FIXTURES / release)).read().items.sort("item_id")
    assert items["text"][0] == "Toy Story (1995). Animation, Children's, Comedy"
    assert items["text"][1] == "Amélie (2001). Comedy, Romance"
    assert items["text"][3] == '"Weird Al" (1989). Comedy'
    assert items["categories"][2].to_list() == ["Action", "Crime", "Thriller"]


def test_no_genre_is_not_a_genre_and_an_empty_title_leaves_no_punctuation():
    last = [
        MovieLensSource(str(FIXTURES / release)).read().items.sort("item_id").row(4, named=True) for release in RELEASES
    ]
    assert [row["categories"] for row in last] == [[], ["Drama"], [], []]
    assert [row["text"] for row in last] == ["unheard", "unheard. Drama", "unheard", ""]


def test_what_is_known_of_users_is_kept_and_users_without_ratings_are_counted():
    data = MovieLensSource(str(FIXTURES / "ml-100k")).read()
    assert data.users.row(by_predicate=pl.col("user_id") == "10") == ("10", "53", "M", "lawyer", "90703")
    assert data.dropped == {"users without interactions": 1}
    assert MovieLensSource(str(FIXTURES / "ml-1m")).read().users.columns[1] == "gender"


@pytest.mark.parametrize("release", RELEASES)
def test_a_zip_gives_the_same_as_its_folder(release, tmp_path):
    archive = zipped(FIXTURES / release, tmp_path / "any.zip")
    source = MovieLensSource(str(archive))
    assert source.files() == [archive]
    assert source.read().fingerprint == MovieLensSource(str(FIXTURES / release)).read().fingerprint


def test_a_version_is_found_by_grouplens_name_in_the_folder(tmp_path):
    shutil.copytree(FIXTURES / "ml-1m", tmp_path / "ml-1m")
    source = MovieLensSource(str(tmp_path), version="1m")
    assert source.name == "movielens-1m"
    assert source.read().n_users == 4


def test_order_of_the_rows_changes_nothing(tmp_path):
    shutil.copytree(FIXTURES / "ml-csv", tmp_path / "ml")
    for file in (tmp_path / "ml").iterdir():
        header, *rows = file.read_text().splitlines()
        file.write_text("\n".join([header, *rows[::-1], ""]))
    shuffled, ordered = (MovieLensSource(str(place)).read() for place in (tmp_path / "ml", FIXTURES / "ml-csv"))
    assert shuffled.fingerprint == ordered.fingerprint


def test_the_embedded_data_is_what_it_says():
    data = MovieLensSmallSource().read()
    assert (data.n_users, data.n_items, data.interactions.height) == (671, 9066, 100_004)
    assert data.fingerprint == "e8b8d05378ed0b17"
    assert sorted(data.items.filter(pl.col("title") == "")["text"]) == ["", "", "Comedy", "Comedy", "Drama"]
    assert "research purposes" in (FOLDER / "CONDITIONS.txt").read_text()


def test_downloads_only_when_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(movielens.download, "fetch", lambda *_: pytest.fail("fetched without being asked"))
    with pytest.raises(DataError, match=r"data\.path: there is no file or folder .*absent"):
        MovieLensSource(str(tmp_path / "absent"), version="1m").files()
    with pytest.raises(ConfigError, match=r"data\.download=true needs data\.version"):
        MovieLensSource(str(tmp_path), download=True)


@pytest.fixture
def published(tmp_path, monkeypatch) -> Path:
    """A server of one release."""
    server = tmp_path / "server"
    server.mkdir()
    archive = zipped(FIXTURES / "ml-1m", server / "ml-1m.zip")
    checksum = hashlib.md5(archive.read_bytes()).hexdigest()
    (server / "ml-1m.zip.md5").write_text(f"MD5 (ml-1m.zip) = {checksum}\n")
    monkeypatch.setattr(movielens, "BASE_URL", server.as_uri())
    return server


def test_a_download_is_checked_and_then_found(published, tmp_path):
    source = MovieLensSource(str(tmp_path / "data"), version="1m", download=True)
    assert source.files() == [tmp_path / "data" / "ml-1m.zip"]
    assert source.read().n_items == 5
    shutil.rmtree(published)
    assert source.read().n_items == 5


def test_a_download_with_another_checksum_is_refused(published, tmp_path):
    source = MovieLensSource(str(tmp_path / "data"), version="1m", download=True, md5="0" * 32)
    with pytest.raises(DataError, match=r"data\.md5: .*ml-1m\.zip has [0-9a-f]{32}, expected 0{32}"):
        source.files()
    assert not list((tmp_path / "data").iterdir())


def test_a_download_that_fails_says_what_to_do(published, tmp_path):
    (published / "ml-1m.zip").unlink()
    with pytest.raises(DataError, match=r"data\.download: .* cannot be fetched .*put it at .*ml-1m\.zip by hand"):
        MovieLensSource(str(tmp_path / "data"), version="1m", download=True).files()


def test_what_is_not_a_release_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"data\.path: .* holds no MovieLens ratings"):
        MovieLensSource(str(tmp_path)).read()
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,1,1\n")
    with pytest.raises(DataError, match=r"data\.path: .* has no movies\.csv"):
        MovieLensSource(str(tmp_path)).read()
    (tmp_path / "broken.zip").write_text("no zip")
    with pytest.raises(DataError, match=r"broken\.zip: not a folder and not a zip"):
        MovieLensSource(str(tmp_path / "broken.zip")).read()
    with pytest.raises(ConfigError, match=r"data\.version=2m is unknown; use one of 100k, 1m"):
        MovieLensSource(str(tmp_path), version="2m")


def test_an_unknown_user_is_refused(tmp_path):
    shutil.copytree(FIXTURES / "ml-1m", tmp_path / "ml")
    with (tmp_path / "ml" / "ratings.dat").open("a") as ratings:
        ratings.write("11::1::5::881250949\n")
    with pytest.raises(
        DataError, match=r"ratings\.dat:11: column 'userId': found '11', expected a user of .*users\.dat"
    ):
        MovieLensSource(str(tmp_path / "ml")).read()
