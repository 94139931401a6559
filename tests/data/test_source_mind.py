import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest

from recsys.data.sources.mind import MindSource
from recsys.schema import DataError

FIXTURE = Path(__file__).parent / "fixtures" / "mind"
NOON_14TH = (1_573_732_800 - 1) * 10**6  # 2019-11-14 11:59:59 UTC


@pytest.fixture(scope="module")
def data():
    return MindSource(str(FIXTURE)).read()


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(shutil.copytree(FIXTURE, tmp_path / "mind"))


def named(data, column: str) -> list[list[str]]:
    ids = data.items["item_id"].to_list()
    return [[ids[item] for item in row] for row in data.impressions[column].to_list()]


def test_news_of_both_folders(data):
    items = data.items.sort("item_id")
    assert items["item_id"].to_list() == ["N1", "N2", "N3", "N4", "N5"]
    assert items["text"].to_list() == [
        "Late goal wins cup. A striker scored.",
        "Storm nears coast",
        'How to bake "real" bread. Flour, water, time.',
        "Coach resigns. The club confirmed.",
        "Ten soups",
    ]
    assert items["categories"].to_list()[3:] == [["sports", "football"], ["food"]]


def test_impressions(data):
    users = data.users["user_id"].to_list()
    assert sorted(users) == ["U1", "U10", "U2", "U3", "U4"]
    shown = data.impressions
    assert [users[user] for user in shown["user"]] == ["U1", "U2", "U1", "U3", "U2", "U10", "U1", "U2", "U4"]
    assert shown["part"].to_list() == ["train"] * 3 + ["val"] * 3 + ["test"] * 3
    assert shown["timestamp"][3] == NOON_14TH
    assert named(data, "history")[:3] == [["N3", "N1"], [], ["N3", "N1"]]
    assert named(data, "candidates")[4] == ["N3", "N4", "N2"]
    assert shown["clicked"].to_list()[4] == [True, True, False]


def test_the_newest_days_of_train_are_the_validation():
    parts = MindSource(str(FIXTURE), validation_days=2.5).read().impressions["part"].to_list()
    assert parts == ["train", "train", "val", "val", "val", "val", "test", "test", "test"]


def test_interactions_are_clicks_and_what_train_users_had_read(data):
    users, items = data.users["user_id"], data.items["item_id"]
    rows = data.interactions.select("user", "item", "part").rows()
    found = sorted((users[user], items[item], part) for user, item, part in rows)
    assert found == [
        ("U1", "N1", "train"),  # history
        ("U1", "N2", "train"),
        ("U1", "N3", "train"),  # history
        ("U1", "N4", "train"),
        ("U1", "N5", "test"),
        ("U10", "N3", "val"),  # N4, of a validation history, is not among them
        ("U2", "N1", "train"),
        ("U2", "N3", "val"),  # clicked again in the test
        ("U2", "N4", "val"),
        ("U3", "N3", "val"),
        ("U4", "N1", "test"),
    ]
    assert data.dropped == {"repeated (user, item) pairs": 1}


def test_a_history_stands_in_its_order_before_the_first_impression(data):
    first = data.impressions["timestamp"][0]
    read = data.interactions.filter(pl.col("user") == data.users["user_id"].index_of("U1")).head(2)
    assert data.items["item_id"].gather(read["item"]).to_list() == ["N3", "N1"]
    assert read["timestamp"].to_list() == [first - 2 * 10**6, first - 10**6]


def test_order_of_the_rows_changes_nothing(data, folder):
    for table in folder.glob("*/*.tsv"):
        table.write_text("\n".join(table.read_text().splitlines()[::-1]) + "\n")
    assert MindSource(str(folder)).read().fingerprint == data.fingerprint


def test_zips_give_the_same(data, tmp_path):
    for name in ("MINDsmall_train", "MINDsmall_dev"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for file in (FIXTURE / name).iterdir():
                archive.write(file, file.name)
    source = MindSource(str(tmp_path))
    assert [path.name for path in source.files()] == ["MINDsmall_train.zip", "MINDsmall_dev.zip"]
    assert source.read().fingerprint == data.fingerprint


def test_impressions_without_labels_are_refused(folder):
    with (folder / "MINDsmall_dev" / "behaviors.tsv").open("a") as behaviors:
        behaviors.write("4\tU1\t11/15/2019 8:00:00 AM\tN3\tN5 N4\n")
    with pytest.raises(
        DataError, match=r"behaviors\.tsv:4: column 'impressions': found 'N5 N4', expected ids with labels"
    ):
        MindSource(str(folder)).read()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("4\tU1\t11/15/2019 8:00:00 AM\tN3 N9\tN5-1\n", "column 'history': found 'N9', expected a news_id"),
        ("4\tU1\t11/15/2019 8:00:00 AM\tN3\tN5-0 N8-1\n", "column 'impressions': found 'N8', expected a news_id"),
        ("4\tU1\t2019-11-15\tN3\tN5-0\n", "column 'time': found '2019-11-15', expected a time written as %m/%d/%Y"),
    ],
)
def test_malformed_rows_are_named(folder, row, message):
    with (folder / "MINDsmall_dev" / "behaviors.tsv").open("a") as behaviors:
        behaviors.write(row)
    with pytest.raises(DataError, match=r"MINDsmall_dev/behaviors\.tsv:4: " + message):
        MindSource(str(folder)).read()


def test_folders_are_named_by_their_keys(folder):
    shutil.copytree(folder / "MINDsmall_dev", folder / "MINDlarge_dev")
    with pytest.raises(DataError, match=r"has MINDlarge_dev, MINDsmall_dev; choose one with data\.dev"):
        MindSource(str(folder)).read()
    assert MindSource(str(folder), dev="MINDsmall_dev").read().n_users == 5
    with pytest.raises(DataError, match=r"data\.train: there is no file or folder .*absent"):
        MindSource(str(folder), train="absent").read()
    with pytest.raises(DataError, match=r"data\.path: there is no file or folder"):
        MindSource(str(folder / "absent")).read()
    shutil.rmtree(folder / "MINDsmall_train")
    with pytest.raises(DataError, match=r"has no folder or zip with 'train' in its name; set data\.train"):
        MindSource(str(folder)).read()
