import gzip
import shutil
from pathlib import Path

import pytest
from data.raw_ids import named_rows

from recsys.data.sources.amazon_reviews import AmazonReviewsSource
from recsys.schema import ConfigError, DataError

FIXTURE = Path(__file__).parent / "fixtures" / "amazon"
META = "meta_All_Beauty.jsonl"


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(shutil.copytree(FIXTURE, tmp_path / "amazon"))


def read(folder: Path, reviews: str = "All_Beauty.jsonl", meta: str = META, **keys):
    return AmazonReviewsSource(str(folder), reviews, meta, **keys).read()


def add(file: Path, line: str) -> None:
    with file.open("a") as text:
        text.write(line + "\n")


def test_reviews_and_products():
    data = read(FIXTURE)
    assert data.name == "amazon_reviews-All_Beauty"
    assert sorted(data.users["user_id"]) == ["AE1", "AE2", "AE3", "AE4"]
    items = data.items.sort("item_id")
    assert items["item_id"].to_list() == ["B01", "B02", "B03"]
    assert items["text"].to_list() == [
        "Hair Mist. Light hold. No alcohol. Beauty, Hair",
        "A soap. For hands.",
        "Comb Beauty",
    ]
    assert items["categories"].to_list() == [["Beauty", "Hair"], [], ["Beauty"]]
    # AE3 reviewed B02 twice: the earlier review is kept.
    assert named_rows(data, "value", "timestamp") == [
        ("AE1", "B01", 5.0, 1588687728_923000),
        ("AE1", "B02", 4.0, 1588687728_000000),
        ("AE2", "B01", 1.0, 1609322563_534000),
        ("AE2", "B03", 3.0, 1609322563_000000),
        ("AE3", "B02", 2.0, 1626969527_000000),
        ("AE4", "B03", 4.0, 1451606400_000000),
    ]
    assert data.dropped == {"products without reviews": 1, "repeated (user, item) pairs": 1}


def test_products_without_reviews_can_stay():
    assert read(FIXTURE, reviewed_only=False).n_items == 4


def test_csv_and_gzip_give_the_same(folder):
    for name in ("All_Beauty.jsonl", "All_Beauty.csv", META):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    expected = read(FIXTURE).fingerprint
    assert read(folder, "All_Beauty.csv").fingerprint == expected
    assert read(folder, "All_Beauty.csv.gz", f"{META}.gz").fingerprint == expected
    assert read(folder, "All_Beauty.jsonl.gz", f"{META}.gz").fingerprint == expected


def test_reviews_of_unknown_products(folder):
    add(folder / "All_Beauty.csv", "AE1,B99,5.0,1588687728923")
    with pytest.raises(
        DataError, match=r"All_Beauty\.csv:9: column 'parent_asin': found 'B99', .*data\.unknown_items=drop"
    ):
        read(folder, "All_Beauty.csv")
    assert read(folder, "All_Beauty.csv", unknown_items="drop").dropped["interactions with unknown items"] == 1
    with pytest.raises(ConfigError, match=r"data\.unknown_items=keep is unknown; use error or drop"):
        read(folder, "All_Beauty.csv", unknown_items="keep")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"user_id": "A", "parent_asin": "B01", "rating": "five", "timestamp": 1}', "column 'rating': found 'five'"),
        ('{"user_id": "A", "parent_asin": "B01", "rating": 5}', "column 'timestamp': found nothing"),
        ('{"user_id": "A", "parent_asin": "B01", "rating": 5, "timestamp": 5e12}', "column 'timestamp': found '5"),
        ('{"user_id": "A", "parent', r"not JSON \(Unterminated string"),
        ("[1, 2]", "found list, expected a JSON object"),
    ],
)
def test_malformed_reviews_are_named(folder, line, message):
    add(folder / "All_Beauty.jsonl", "\n" + line)
    with pytest.raises(DataError, match=r"All_Beauty\.jsonl:9: " + message):
        read(folder)


def test_malformed_products_are_named(folder):
    add(folder / META, '{"parent_asin": "B01", "title": "again"}')
    with pytest.raises(DataError, match=META + r":5: column 'parent_asin': found 'B01' again, expected each id once"):
        read(folder)


def test_missing_files_name_their_keys(folder):
    with pytest.raises(DataError, match=r"data\.reviews: there is no file or folder .*Absent"):
        read(folder, "Absent.jsonl")
    with pytest.raises(DataError, match=r"data\.meta: there is no file"):
        read(folder, meta="absent.jsonl")
