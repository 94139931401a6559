"""Public data sets in the exact layout of their files, each read by its yaml."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from data.raw_ids import named_rows

import recsys
from recsys.config.compose import build
from recsys.data.dataset import Dataset

YAMBDA = pl.DataFrame(
    {"uid": [100, 100], "timestamp": [5, 10], "item_id": [7, 8], "is_organic": [1, 0]},
    schema={"uid": pl.UInt32, "timestamp": pl.UInt32, "item_id": pl.UInt32, "is_organic": pl.UInt8},
)
OTTO = {
    "session": 12899779,
    "events": [
        {"aid": 59625, "ts": 1661724000278, "type": "clicks"},
        {"aid": 1142000, "ts": 1661724000300, "type": "carts"},
    ],
}
CASES: dict[str, tuple[dict[str, str | bytes], list[str], list[tuple], list[str]]] = {
    "amazon_2014": (
        {
            "reviews.json.gz": '{"reviewerID": "A1", "asin": "700", "reviewerName": "B \\"x\\"", "helpful": [8, 12], '
            '"overall": 5.0, "summary": "s", "unixReviewTime": 1341792000, "reviewTime": "07 9, 2012"}\n',
            "meta.json.gz": "{'asin': '700', 'description': \"It's one\", 'title': 'Game', 'imUrl': 'http://x', "
            "'related': {'also_viewed': ['701']}, 'salesRank': {'Games': 1}, 'categories': [['Video Games', 'PC']]}\n",
        },
        ["data.interactions.file=reviews.json.gz", "data.items.file=meta.json.gz"],
        [("A1", "700", 5.0, 1341792000_000000)],
        ["Game. It's one"],
    ),
    "amazon_2018": (
        {
            "reviews.json.gz": '{"overall": 4.0, "verified": true, "reviewTime": "10 17, 2015", "reviewerID": "A1", '
            '"asin": "700", "style": {"Format:": " Disc"}, "unixReviewTime": 1445040000}\n',
            "meta.json.gz": '{"category": ["Games", "PC"], "tech1": "", "description": ["one", "two"], '
            '"title": "Game", "also_buy": [], "asin": "700"}\n',
        },
        ["data.interactions.file=reviews.json.gz", "data.items.file=meta.json.gz"],
        [("A1", "700", 4.0, 1445040000_000000)],
        ["Game. one, two"],
    ),
    "amazon_ratings": (
        {"Games.csv": "0439381673,A21ROB4YDOZA5P,1.0,1402272000\n"},
        ["data.interactions.file=Games.csv"],
        [("A21ROB4YDOZA5P", "0439381673", 1.0, 1402272000_000000)],
        [""],
    ),
    "yelp": (
        {
            "yelp_academic_dataset_review.json": '{"review_id":"r","user_id":"u","business_id":"b","stars":3.0,'
            '"useful":0,"text":"line\\nline \\"q\\"","date":"2018-07-07 22:09:11"}\n',
            "yelp_academic_dataset_business.json": '{"business_id":"b","name":"Cafe","attributes":{"WiFi":"u\'no\'"},'
            '"categories":"Coffee, Food","hours":null}\n',
        },
        [],
        [("u", "b", 3.0, 1531001351_000000)],
        ["Cafe. Coffee, Food"],
    ),
    "goodreads": (
        {
            "i.json.gz": '{"user_id": "8842", "book_id": "836610", "review_id": "d", "is_read": false, "rating": 0, '
            '"date_added": "Sat Aug 12 10:14:31 -0700 2017", "read_at": "", "started_at": ""}\n',
            "b.json.gz": '{"isbn": "", "popular_shelves": [{"count": "3", "name": "to-read"}], "book_id": "836610", '
            '"title": "Poems", "description": "Short.", "similar_books": []}\n',
        },
        ["data.interactions.file=i.json.gz", "data.items.file=b.json.gz"],
        [("8842", "836610", 0.0, 1502558071_000000)],
        ["Poems. Short."],
    ),
    "steam": (
        {"steam-200k.csv": '151603712,"Warhammer 40,000",purchase,1.0,0\n151603712,"Warhammer 40,000",play,9.5,0\n'},
        [],
        [("151603712", "Warhammer 40,000", 1.0)],
        [""],
    ),
    "bookcrossing": (
        {
            "BX-Book-Ratings.csv": '"User-ID";"ISBN";"Book-Rating"\r\n"276725";"034545104X";"0"\r\n'
            '"9";"absent";"1"\r\n',
            "BX-Books.csv": '"ISBN";"Book-Title";"Book-Author"\r\n"034545104X";"A 7\\" caf\xe9; song";"Ann"\r\n'.encode(
                "latin-1"
            ),
        },
        [],
        [("276725", "034545104X", 0.0)],
        ['A 7" café; song. Ann'],
    ),
    "lastfm_1k": (
        {
            "userid-timestamp-artid-artname-traid-traname.tsv": "user_000001\t2009-05-04T23:08:57Z\tf1b1\tDeep\t\t"
            '"One song\nuser_000001\t2009-05-04T13:54:10Z\t\tNobody\tt\tTrack\n'
        },
        [],
        [("user_000001", "f1b1", 1.0, 1241478537_000000)],
        [""],
    ),
    "lastfm_360k": (
        {"usersha1-artmbid-artname-plays.tsv": "00000c28\t3bd73256\tbetty blowtorch\t2137\n00000c28\t\tnobody\t1\n"},
        [],
        [("00000c28", "3bd73256", 2137.0)],
        [""],
    ),
    "gowalla": (
        {"loc-gowalla_totalCheckins.txt.gz": "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n"},
        [],
        [("0", "22847", 1.0, 1287532527_000000)],
        [""],
    ),
    "retailrocket": (
        {"events.csv": "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n"},
        [],
        [("257597", "355908", 1.0, 1433221332_117000)],
        [""],
    ),
    "hm": (
        {
            "transactions_train.csv": "t_dat,customer_id,article_id,price,sales_channel_id\n"
            "2018-09-20,000058a1,0663713001,0.0508,2\n",
            "articles.csv": "article_id,product_code,prod_name,product_type_name,index_group_name,detail_desc\n"
            '0663713001,663713,Strap top,Vest top,Ladieswear,"Jersey top, with straps."\n',
        },
        [],
        [("000058a1", "0663713001", 1.0, 1537401600_000000)],
        ["Strap top. Vest top. Jersey top, with straps."],
    ),
    "taobao": (
        {"UserBehavior.csv": "1,2268318,2520377,pv,1511544070\n1,2333346,2520771,pv,-1511561733\n"},
        [],
        [("1", "2268318", 1.0, 1511544070_000000)],
        [""],
    ),
    "yambda": ({}, [], [("100", "7", 1.0, 5_000000), ("100", "8", 1.0, 10_000000)], ["", ""]),
    "otto": (
        {"otto-recsys-train.jsonl": json.dumps(OTTO, separators=(",", ":")) + "\n"},
        [],
        [("12899779", "1142000", 1.0, 1661724000_300000), ("12899779", "59625", 1.0, 1661724000_278000)],
        ["", ""],
    ),
}


def read(folder: Path, name: str) -> Dataset:
    files, overrides, _, _ = CASES[name]
    for file, content in files.items():
        raw = content if isinstance(content, bytes) else content.encode()
        (folder / file).write_bytes(gzip.compress(raw) if file.endswith(".gz") else raw)
    if name == "yambda":
        YAMBDA.write_parquet(folder / "likes.parquet")
    cfg = recsys.compose([f"data={name}", f"data.path={folder}", *overrides], "prepare_data")
    return build("data", cfg.data).read()


@pytest.mark.parametrize("name", CASES)
def test_a_layout_is_read_by_its_yaml(name, tmp_path):
    data = read(tmp_path, name)
    columns = ["value", "timestamp"] if data.has_timestamps else ["value"]
    _, _, expected, texts = CASES[name]
    assert sorted(named_rows(data, *columns)) == sorted(expected)
    assert data.texts == texts


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("bookcrossing", {"interactions with unknown items": 1}),
        ("lastfm_1k", {"rows without an id": 1}),
        ("lastfm_360k", {"rows without an id": 1}),
        ("taobao", {"rows with a bad time": 1}),
        ("steam", {"repeated (user, item) pairs": 1}),
    ],
)
def test_what_a_layout_drops_is_counted(name, dropped, tmp_path):
    assert read(tmp_path, name).dropped == dropped


def test_an_event_without_an_item_names_its_session(tmp_path):
    lines = [OTTO, {"session": 2, "events": [*OTTO["events"], {"aid": None, "ts": 1661724000278, "type": "clicks"}]}]
    (tmp_path / "otto.jsonl").write_text("\n".join(map(json.dumps, lines)))
    keys = [f"data.path={tmp_path}", "data.interactions.file=otto.jsonl"]
    source = build("data", recsys.compose(["data=otto", *keys], "prepare_data").data)
    with pytest.raises(recsys.schema.DataError, match=r"otto\.jsonl:2: column 'aid': found nothing, expected an id"):
        source.read()
