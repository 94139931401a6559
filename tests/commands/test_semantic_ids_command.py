import polars as pl
import pytest

import recsys
from recsys.commands.semantic_ids import report, run
from recsys.schema import ConfigError
from recsys.serving.code_quality import CodeQuality


def configuration(*overrides):
    return recsys.compose(list(overrides), "semantic_ids")


def test_codes_of_all_items_are_written_and_reported(tmp_path, cache_dir, capsys):
    path = tmp_path / "codes.parquet"
    sizes = ["codes.n_levels=2", "codes.n_codes=4"]
    run(configuration("data=synthetic", *sizes, f"output={path}", f"paths.cache_dir={cache_dir}"))
    table, told = pl.read_parquet(path), capsys.readouterr().out
    assert table.columns == ["item_id", "code_1", "code_2", "extra_code", "in_train"]
    codes = table.select("code_1", "code_2", "extra_code")
    assert table["item_id"].n_unique() == table.height == codes.unique().height
    colliding = table.filter(pl.struct("code_1", "code_2").is_duplicated()).height
    assert f"Collisions: {colliding:,} of {table.height:,} items" in told
    assert str(path) in told


def test_the_report_by_hand():
    lines = report(CodeQuality(8, 5, 3, [3, 1], [1.5, 0.0], 0.75, 10), 4)
    assert lines[:2] == [
        "Level 1: 3 of 4 codes used, entropy 1.50 bits",
        "Level 2: 1 of 4 codes used, entropy 0.00 bits",
    ]
    assert lines[2] == "Collisions: 5 of 8 items (62.5%) share all codes with another item"
    assert "0 to 2" in lines[3]
    assert lines[4].startswith("Neighbours kept: 75.0% of the 10 nearest")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("encoder=none", "makes no vectors"),
        ("output=a.csv", "ends in .parquet"),
        ("n_neighbours=0", "n_neighbours is 0"),
    ],
)
def test_impossible_values_are_errors(override, message):
    with pytest.raises(ConfigError, match=message):
        run(configuration(override))
