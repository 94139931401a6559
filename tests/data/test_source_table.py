import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from data.raw_ids import named_rows

from recsys.data.filters import filter_interactions
from recsys.data.sources.table import Interactions, Items, TableSource, Users
from recsys.schema import ConfigError, DataError

FIXTURES = Path(__file__).parent / "fixtures"
LOG = Interactions("log.csv", "who", "what", "stars", "when")
THINGS = Items("things.csv", "code", "{name}. {kinds}", "kinds")
PEOPLE = Users("people.csv", "who")


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(shutil.copytree(FIXTURES / "table", tmp_path / "table"))


def read(folder: Path, log: Interactions = LOG, items: Items = THINGS, users: Users = PEOPLE, **keys):
    return TableSource(str(folder), log, items, users, **keys).read()


@pytest.fixture(scope="module")
def data():
    return read(FIXTURES / "table")


def test_csv(data):
    assert sorted(data.users.rows()) == [("1", "24"), ("10", "53"), ("2", "53"), ("9", None)]
    assert data.items.columns == ["item_id", "text", "categories", "name", "kinds", "note"]
    items = data.items.sort("item_id")
    assert items["text"].to_list() == [
        "Toy Story. Animation|Comedy",
        "Amélie, the film. Comedy|Romance",
        "Heat",
        "",
        "Solo. Drama",
    ]
    assert items["categories"].to_list() == [["Animation", "Comedy"], ["Comedy", "Romance"], [], [], ["Drama"]]
    assert named_rows(data, "value", "timestamp")[6] == ("2", "3", 4.0, 881252000_000000)
    assert data.dropped == {}


def test_interactions_alone(folder):
    data = read(folder, Interactions("log.csv", "who", "what"), Items(), Users())
    assert not data.has_timestamps
    assert sorted(data.items.rows()) == [(str(item), "") for item in range(1, 6)]
    assert data.interactions["value"].unique().to_list() == [1.0]


def test_items_without_a_template_have_no_text(folder):
    data = read(folder, items=replace(THINGS, template=None))
    assert data.texts == [""] * 5
    assert data.items.sort("item_id")["categories"][0].to_list() == ["Animation", "Comedy"]


def other_forms(folder: Path) -> dict[str, dict]:
    """The same three tables in every other format, as arguments of `read`."""
    frames = {name: pl.read_csv(folder / f"{name}.csv", infer_schema=False) for name in ("log", "things", "people")}
    numbers = frames["log"].with_columns(pl.col("stars").cast(pl.Float64), pl.col("who", "what", "when").cast(pl.Int64))
    for name, frame in (frames | {"log": numbers}).items():
        frame.write_parquet(folder / f"{name}.parquet")
        frame.write_ndjson(folder / f"{name}.jsonl")
        frame.write_csv(folder / f"{name}.tsv", separator="\t")
        frame.write_csv(folder / f"{name}.semicolon.csv", separator=";")
        for suffix in ("csv", "jsonl"):
            (folder / f"{name}.{suffix}.gz").write_bytes(gzip.compress((folder / f"{name}.{suffix}").read_bytes()))
        (folder / f"{name}.latin.csv").write_bytes((folder / f"{name}.csv").read_text().encode("latin-1"))
    suffixes = ["parquet", "jsonl", "tsv", "semicolon.csv", "csv.gz", "jsonl.gz", "latin.csv"]
    keys = {"semicolon.csv": {"separator": ";"}, "latin.csv": {"encoding": "latin-1"}}
    files = {
        suffix: [replace(t, file=t.file.replace("csv", suffix)) for t in (LOG, THINGS, PEOPLE)] for suffix in suffixes
    }
    return {s: dict(zip(("log", "items", "users"), files[s], strict=True)) | keys.get(s, {}) for s in suffixes}


@pytest.mark.parametrize("form", ["parquet", "jsonl", "tsv", "semicolon.csv", "csv.gz", "jsonl.gz", "latin.csv"])
def test_every_format_gives_the_same(form, folder, data):
    assert read(folder, **other_forms(folder)[form]).fingerprint == data.fingerprint


def test_order_of_the_rows_changes_nothing(folder, data):
    header, *rows = (folder / "log.csv").read_text().splitlines()
    (folder / "log.csv").write_text("\n".join([header, *rows[5:], "", *rows[:5], ""]))
    for name in ("things", "people"):
        pl.read_csv(folder / f"{name}.csv", infer_schema=False).reverse().write_csv(folder / f"{name}.csv")
    assert read(folder).fingerprint == data.fingerprint


def test_lists_are_categories_and_text(folder):
    pl.DataFrame({"id": ["1", "2"], "tags": [["a", "b"], []]}).write_parquet(folder / "things.parquet")
    (folder / "log.csv").write_text("user_id,item_id\n1,2\n")
    items = Items("things.parquet", "id", "{id}: {tags}", "tags")
    things = read(folder, Interactions("log.csv"), items, Users()).items.sort("item_id")
    assert things["categories"].to_list() == [["a", "b"], []]
    assert things["text"].to_list() == ["1: a, b", "2"]


def test_recbole_atomic_files():
    log = Interactions("toy.inter", rating="rating", timestamp="timestamp")
    items = Items("toy.item", template="{movie_title} ({release_year}). {class}", categories="class")
    data = read(FIXTURES / "atomic", log, items, Users("toy.user"))
    assert named_rows(data, "value", "timestamp")[6] == ("2", "3", 4.0, 881252000_000000)
    items = data.items.sort("item_id")
    assert items["text"].to_list()[:2] == ["Toy Story (1995). Animation Comedy", "Amélie (2001). Comedy Romance"]
    assert items["text"][3] == '"Weird Al" (1989'  # an empty field takes the literal before it away
    assert items["categories"].to_list() == [
        ["Animation", "Comedy"],
        ["Comedy", "Romance"],
        ["Action"],
        [],
        ["Drama"],
    ]
    assert data.users.columns == ["user_id", "age"]


def test_an_atomic_header_without_types_is_refused(tmp_path):
    (tmp_path / "toy.inter").write_text("user_id:token\titem_id\n1\t2\n")
    with pytest.raises(DataError, match=r"toy\.inter:1: column 2 of the header: found 'item_id', expected name:type"):
        read(tmp_path, Interactions("toy.inter"), Items(), Users())


def test_min_rating_drops_and_counts(folder):
    data = read(folder, replace(LOG, min_rating=4))
    assert data.dropped == {"interactions below min_rating": 4}
    assert data.interactions["value"].min() == 4.0
    assert data.n_items == 5
    with pytest.raises(ConfigError, match=r"min_rating needs the ratings' column: data\.interactions\.rating"):
        Interactions("log.csv", min_rating=4)
    for value in ("high", float("nan")):
        with pytest.raises(ConfigError, match=rf"min_rating is '?{value}'?; expected a finite number, or null"):
            replace(LOG, min_rating=value)


def test_repeated_pairs_become_the_earliest(folder):
    with (folder / "log.csv").open("a") as log:
        log.write("1,1,2,881250948\n1,1,1,881250999\n1,2,4,881250955\n")
    data = read(folder)
    assert data.dropped == {"repeated (user, item) pairs": 3}
    # The earliest; at the same time the higher value.
    first, second = named_rows(data, "value", "timestamp")[:2]
    assert first == ("1", "1", 2.0, 881250948_000000)
    assert second == ("1", "2", 4.0, 881250955_000000)


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("s", "1600000000.123456"),
        ("ms", "1600000000123.456"),
        ("us", "1600000000123456"),
        ("us", "1.600000000123456e15"),
        ("ns", "1600000000123456999"),
        ("%Y-%m-%d %H:%M:%S%.f", "2020-09-13 12:26:40.123456"),
    ],
)
def test_times_keep_their_resolution_up_to_microseconds(unit, written, tmp_path):
    (tmp_path / "log.csv").write_text(f"user_id,item_id,time\n1,2,{written}\n")
    data = read(tmp_path, Interactions("log.csv", timestamp="time", timestamp_unit=unit), Items(), Users())
    assert data.interactions["timestamp"].to_list() == [1_600_000_000_123_456]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_of_parquet_keep_their_resolution(unit, tmp_path):
    times = pl.Series("time", ["2020-09-13T12:26:40.123", "2020-09-13T12:26:41", "2020-09-13T12:26:41.001"])
    log = pl.DataFrame(
        {"user_id": ["1"] * 3, "item_id": ["a", "b", "c"], "time": times.str.to_datetime(time_unit=unit)}
    )
    log.write_parquet(tmp_path / "log.parquet")
    data = read(tmp_path, Interactions("log.parquet", timestamp="time"), Items(), Users())
    seconds = 1_600_000_000_123_000
    assert data.interactions["timestamp"].to_list() == [seconds, seconds + 877_000, seconds + 878_000]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("written", ["-1", "9223372036854775807", "4102444800000000000", "1e300"])
def test_times_out_of_range_are_refused(unit, written, tmp_path):
    (tmp_path / "log.csv").write_text(f"user_id,item_id,time\n1,2,{written}\n")
    with pytest.raises(DataError, match=rf"log\.csv:2: column 'time': found '{written}', expected a time between 1970"):
        read(tmp_path, Interactions("log.csv", timestamp="time", timestamp_unit=unit), Items(), Users())


@pytest.mark.parametrize("column", ["part", "fold"])
def test_a_column_assigns_interactions_to_the_parts(column, tmp_path):
    (tmp_path / "log.csv").write_text(f"user_id,item_id,{column}\n1,a,train\n1,b,val\n1,c,test\n1,c,train\n")
    log = Interactions("log.csv", part=column)
    data = read(tmp_path, log, Items(), Users())
    assert named_rows(data, "part") == [("1", "a", "train"), ("1", "b", "val"), ("1", "c", "train")]
    assert read(tmp_path, replace(log, part=None), Items(), Users()).interactions.columns == ["user", "item", "value"]


@pytest.mark.parametrize("wrong", ["dev", ""])
def test_another_part_is_refused_with_its_line(wrong, tmp_path):
    (tmp_path / "log.csv").write_text(f"user_id,item_id,part\n1,a,train\n1,b,{wrong}\n")
    found = f"found {wrong!r}" if wrong else "found nothing"
    expected = r"expected train, val or test \(or data\.interactions\.part=null if the column is something else\)"
    with pytest.raises(DataError, match=rf"log\.csv:3: column 'part': {found}, {expected}"):
        read(tmp_path, Interactions("log.csv"), Items(), Users())


def test_a_named_column_of_parts_must_be_there(folder):
    with pytest.raises(DataError, match=r"log\.csv: there is no column 'fold' \(data\.interactions\.part\)"):
        read(folder, replace(LOG, part="fold"))


@pytest.mark.parametrize(("repeated", "n_low"), [("1,1,1,881250999", 5), ("10,1,1,881250999", 6)])
def test_repeated_pairs_are_merged_before_ratings_are_filtered(repeated, n_low, folder):
    with (folder / "log.csv").open("a") as log:
        log.write(f"{repeated}\n10,4,1,881250001\n10,4,5,881250002\n")
    of_source = read(folder, replace(LOG, min_rating=4))
    of_split, _ = filter_interactions(read(folder), 4, 1, None)
    for frame in ("interactions", "low_rated"):
        rows = [named_rows(replace(data, interactions=getattr(data, frame)), "value") for data in (of_source, of_split)]
        assert rows[0] == rows[1]
    assert ("10", "4", 1.0) in rows[0], "the first rating of a pair decides"
    assert of_source.dropped["interactions below min_rating"] == n_low
    assert of_source.dropped["repeated (user, item) pairs"] == 2


def test_unknown_items(folder):
    with (folder / "log.csv").open("a") as log:
        log.write("1,6,5,881250949\n1,7,5,881250949\n")
    with pytest.raises(DataError) as caught:
        read(folder)
    place, found = f"{folder}/log.csv:12: column 'what': found '6', ", "expected an item of "
    assert str(caught.value).startswith(place + found + f"{folder}/things.csv (or data.items.unknown=drop)")
    data = read(folder, items=replace(THINGS, unknown="drop"))
    assert data.dropped == {"interactions with unknown items": 2}


def test_unknown_users(folder):
    with (folder / "log.csv").open("a") as log:
        log.write("77,1,5,881250949\n")
    with pytest.raises(
        DataError, match=r"log\.csv:12: column 'who': found '77', expected a user of .*people\.csv \(a row with"
    ):
        read(folder)


def test_missing_files_name_their_keys(folder):
    for table, key in ((LOG, "interactions"), (THINGS, "items"), (PEOPLE, "users")):
        argument = {"interactions": "log"}.get(key, key)
        with pytest.raises(DataError, match=rf"data\.{key}\.file: there is no file or folder .*absent\.csv"):
            read(folder, **{argument: replace(table, file="absent.csv")})
    with pytest.raises(DataError, match=r"data\.path: there is no file or folder"):
        read(folder / "absent")


def test_templates_are_checked(folder):
    with pytest.raises(
        ConfigError, match=r"data\.items\.template: .*things\.csv has no column 'title'; it has code, name"
    ):
        read(folder, items=replace(THINGS, template="{title}"))
    with pytest.raises(
        ConfigError, match=r"template='name' has no field: put .* in braces, as in '\{name\}'; .* has code, name"
    ):
        read(folder, items=replace(THINGS, template="name"))
    with pytest.raises(ConfigError, match=r"data\.items\.template='\{name' is malformed"):
        read(folder, items=replace(THINGS, template="{name"))
    with pytest.raises(ConfigError, match="a field is a column's name and nothing else"):
        read(folder, items=replace(THINGS, template="{name:>10}"))


def test_identity_holds_keys_but_no_paths():
    identity = TableSource("/somewhere", LOG, THINGS).identity()
    assert identity["interactions"]["file"] == ".csv"
    assert identity["users"]["file"] is None
    assert "somewhere" not in str(identity)
