"""Lists of other programs load as they are written, and what cannot be used of them is counted."""

from __future__ import annotations

import polars as pl
import pytest

from recsys.data.outside_lists import ListFile, OutsideLists
from recsys.schema import DataError

USERS, ITEMS = pl.Series(["u1", "u2", "7"]), pl.Series(["a", "b", "c", "=d"])
EXPECTED = [(0, 1, 1), (0, 0, 2), (1, 2, 1)]  # u1: b, a; u2: c


def read(frame: pl.DataFrame | str, tmp_path, suffix: str = ".csv", **columns: str) -> OutsideLists:
    path = tmp_path / f"recs{suffix}"
    if isinstance(frame, str):
        path.write_text(frame)
    elif suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return ListFile(str(path), **columns).read(USERS, ITEMS)


AS_WRITTEN = {
    "RecTools": pl.DataFrame(
        {"user_id": ["u1", "u1", "u2"], "item_id": ["b", "a", "c"], "score": [0.5, 0.4, 9.0], "rank": [1, 2, 1]}
    ),
    "LensKit": pl.DataFrame(
        {"user_id": ["u1", "u1", "u2"], "item_id": ["a", "b", "c"], "score": [0.4, 0.5, 0.1], "rank": [2, 1, 1]}
    ),
    "RecBole": pl.DataFrame(
        {"user_id:token": ["u1", "u2", "u1"], "item_id:token": ["a", "c", "b"], "score:float": [-3.0, 1.0, -2.0]}
    ),
    "recommenders": pl.DataFrame(
        {"userID": ["u1", "u2", "u1"], "itemID": ["a", "c", "b"], "prediction": [0.1, 0.1, 0.2]}
    ),
    "rows in order": pl.DataFrame({"user": ["u1", "u2", "u1"], "item": ["b", "c", "a"]}),
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("program", AS_WRITTEN)
def test_the_columns_of_other_programs_are_recognised(program, suffix, tmp_path):
    assert read(AS_WRITTEN[program], tmp_path, suffix).pairs.rows() == EXPECTED


def test_a_csv_with_semicolons_is_read(tmp_path):
    assert read("user;item;rank\nu1;b;1\nu1;a;2\nu2;c;1\n", tmp_path).pairs.rows() == EXPECTED


def test_the_lists_of_lenskits_native_parquet_are_read(tmp_path):
    struct = pl.Struct({"item_id": pl.String, "score": pl.Float32, "rank": pl.Int32})
    lists = [
        [{"item_id": "b", "score": 0.5, "rank": 1}, {"item_id": "a", "score": 0.4, "rank": 2}],
        [{"item_id": "c", "score": 0.1, "rank": 1}],
        [],
    ]
    frame = pl.DataFrame({"user_id": ["u1", "u2", "7"], "items": lists}, schema_overrides={"items": pl.List(struct)})
    assert read(frame, tmp_path, ".parquet").pairs.rows() == EXPECTED


def test_lists_of_plain_ids_are_in_order(tmp_path):
    frame = pl.DataFrame({"user": ["u1", "u2"], "items": [["b", "a"], ["c"]]})
    assert read(frame, tmp_path, ".parquet").pairs.rows() == EXPECTED


def test_lists_in_other_columns_drop_no_row(tmp_path):
    frame = AS_WRITTEN["RecTools"].with_columns(pl.Series("genres", [["x", "y"], [], None]))
    found = read(frame, tmp_path, ".parquet")
    assert found.pairs.rows() == EXPECTED
    assert (found.facts["rows"], found.facts["repeated_pairs"]) == (3, 0)


def test_lists_of_unequal_lengths_and_without_an_item_are_refused(tmp_path):
    unequal = pl.DataFrame({"user": ["u1", "u2"], "items": [["b", "a"], ["c"]], "score": [[1.0, 2.0], []]})
    with pytest.raises(DataError, match="row 2 has lists of different lengths: items 1, score 0"):
        read(unequal, tmp_path, ".parquet")
    absent = pl.DataFrame({"user": ["u1", "u2"], "items": [["b", None], ["c"]]})
    with pytest.raises(DataError, match="row 2 has no item; expected an id"):
        read(absent, tmp_path, ".parquet")


def test_blanks_around_ranks_are_no_fault(tmp_path):
    assert read("user,item,rank\nu1,b, 1\nu1,a, 2\nu2,c, 1\n", tmp_path).pairs.rows() == EXPECTED


def test_named_columns_are_read_instead_of_recognised_ones(tmp_path):
    frame = AS_WRITTEN["RecTools"].with_columns(pl.Series("mine", [2.0, 1.0, 1.0]))
    assert read(frame, tmp_path, rank="mine").pairs.rows() == [(0, 0, 1), (0, 1, 2), (1, 2, 1)]


def test_ranks_win_over_scores_and_equal_scores_are_ties(tmp_path):
    ranked = pl.DataFrame({"user": ["u1", "u1"], "item": ["a", "b"], "rank": [2, 1], "score": [9.0, 1.0]})
    assert read(ranked, tmp_path).pairs.rows() == [(0, 1, 1), (0, 0, 2)]
    tied = pl.DataFrame({"user": ["u1"] * 3, "item": ["a", "b", "c"], "score": [1.0, 1.0 + 2**-40, 1.0]})
    assert sorted(read(tied, tmp_path, ".parquet").pairs.rows()) == [(0, 0, 2), (0, 1, 1), (0, 2, 2)]


def test_repeated_pairs_keep_their_best_place_and_unknown_ids_are_counted(tmp_path):
    rows = "user,item,rank\nu1,a,3\nu1,b,1\nu1,a,2\nu1,nothing,4\nnobody,a,1\nu2,c,1\n"
    found = read(rows, tmp_path)
    assert found.pairs.rows() == EXPECTED
    counts = {key: found.facts[key] for key in ("rows", "repeated_pairs", "rows_of_unknown_users", "users")}
    assert counts == {"rows": 6, "repeated_pairs": 1, "rows_of_unknown_users": 1, "users": 2}
    assert found.facts["rows_of_unknown_items"] == 1
    assert found.facts["longest_list"] == 2


def test_ids_are_the_texts_of_the_data(tmp_path):
    numbers = pl.DataFrame({"user": [7.0, None], "item": ["a", "b"]}).head(1)
    assert read(numbers, tmp_path, ".parquet").pairs.rows() == [(2, 0, 1)]
    # Our own files protect spreadsheets from ids that look like formulas.
    assert read("user,item\nu1,'=d\n", tmp_path).pairs.rows() == [(0, 3, 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("who,item,rank\nu1,a,1\n", r"has no column 'user'; it has who, item, rank\. Name it, as in columns\.user="),
        ("who,what,rank\nu1,a,1\n", r"no column 'user' and no 'item'; it has .* columns\.user=.* columns\.item="),
        ("user,user_id,item\nu1,u1,a\n", "has the columns user, user_id: choose the user"),
        ("user,item,rank\nu1,a,first\n", "row 1: rank is 'first'; expected a number"),
        ("user,item,score\nu1,a,1\nu1,b,nan\n", "row 2: score is 'nan'; expected a number"),
        ("user,item\nu1,a\n,b\n", "row 2 has no user; expected an id"),
        ("user,item\nnobody,nothing\n", "the first are 'nobody' and 'nothing'; expected ids such as 'u1' and 'a'"),
        ("user,item\n", "it is empty"),
    ],
)
def test_a_malformed_file_is_refused(content, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read(content, tmp_path)


def test_a_missing_id_of_pandas_is_refused(tmp_path):
    frame = pl.DataFrame({"user": [7.0, float("nan")], "item": ["a", "b"]})
    with pytest.raises(DataError, match="row 2 has no user; expected an id"):
        read(frame, tmp_path, ".parquet")


def test_a_missing_file_and_a_missing_column_are_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*absent\.csv"):
        ListFile(str(tmp_path / "absent.csv")).identity()
    with pytest.raises(DataError, match="has no column 'mine'"):
        read("user,item\nu1,a\n", tmp_path, score="mine")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_columns_are_checked_by_the_head_of_a_file(suffix, tmp_path):
    path, frame = tmp_path / f"lists{suffix}", pl.DataFrame({"customer": ["u1"], "item": ["a"], "rank": ["first"]})
    {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".jsonl": frame.write_ndjson}[suffix](path)
    ListFile(str(path), user="customer").check_columns()
    with pytest.raises(DataError, match="has no column 'user'; it has customer, item, rank"):
        ListFile(str(path)).check_columns()
    with pytest.raises(DataError, match="there is no file"):
        ListFile(f"{path}.csv").check_columns()


def test_the_identity_is_the_content(tmp_path):
    one, same, other = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    for path, text in ((one, "user,item\nu1,a\n"), (same, "user,item\nu1,a\n"), (other, "user,item\nu1,b\n")):
        path.write_text(text)
    assert ListFile(str(one)).identity() == ListFile(str(same)).identity() != ListFile(str(other)).identity()


def test_a_yaml_beside_the_file_tells_its_origin(tmp_path):
    assert read("user,item\nu1,a\n", tmp_path).facts["provenance"] is None
    (tmp_path / "recs.yaml").write_text("program: LightFM\nversion: 1.17\nmade: 2026-01-02\n")
    told = {"program": "LightFM", "version": 1.17, "made": "2026-01-02"}
    assert read("user,item\nu1,a\n", tmp_path).facts["provenance"] == told
    (tmp_path / "recs.yaml").write_text("- a list\n")
    with pytest.raises(DataError, match="expected keys with plain values"):
        read("user,item\nu1,a\n", tmp_path)
