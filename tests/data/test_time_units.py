"""The unit of times is detected by default, and times in seconds are read as with the unit `s`."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime

import polars as pl
import pytest

from recsys.data.sources.table import Interactions, TableSource
from recsys.schema import TIMESTAMP, DataError

MIDNIGHT = 1_706_659_200  # 2024-01-31
SECONDS = [str(MIDNIGHT + n) for n in range(5)]


def source(folder, values, **keys):
    rows = [f"u,i{place},{value}" for place, value in enumerate(values)]
    (folder / "log.csv").write_text("\n".join(["user_id,item_id,time", *rows]) + "\n")
    return TableSource(str(folder), Interactions("log.csv", timestamp="time", **keys))


def seconds_of(source):
    return [time / 1_000_000 for time in source.read().interactions[TIMESTAMP].sort()]


@pytest.mark.parametrize(
    "written",
    [
        str(MIDNIGHT),
        f"{MIDNIGHT}.0",
        f"{MIDNIGHT}000",
        f"{MIDNIGHT}000000",
        f"{MIDNIGHT}000000000",
        "2024-01-31",
        "2024-01-31T02:00:00+02:00",
        "2024-01-30 19:00-05:00",
        "20240131",
        "202401310000",
    ],
)
def test_the_unit_is_detected_by_default(written, tmp_path):
    assert seconds_of(source(tmp_path, [written])) == [MIDNIGHT]


@pytest.mark.parametrize("values", [SECONDS, ["1", "2", "30000000"], ["0", "0", "5.5"], ["0"] * 1200 + SECONDS])
def test_seconds_are_read_as_with_the_unit_s(values, tmp_path):
    detected, given = (source(tmp_path, values, **keys).read() for keys in ({}, {"timestamp_unit": "s"}))
    assert detected.fingerprint == given.fingerprint


def test_small_numbers_are_steps_in_order_with_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert seconds_of(source(tmp_path, ["7", "20240131", "2"])) == [2, 7, 20240131]
    assert "column 'time': the numbers are too small for dates after 1970" in caplog.text
    assert "set data.interactions.timestamp_unit" in caplog.text


def test_a_value_of_another_unit_is_a_fault_that_names_the_detected_unit(tmp_path):
    with pytest.raises(DataError) as caught:
        source(tmp_path, [*SECONDS, "1706659200000"]).read()
    assert str(caught.value).endswith(
        "log.csv:7: column 'time': found '1706659200000', expected a time between 1970 and 2100 in s since 1970, as "
        "most values of the column; if they have another form, set data.interactions.timestamp_unit."
    )


def test_a_column_without_times_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no unit of times fits 'noon'; set .*timestamp_unit to iso, s"):
        source(tmp_path, ["noon", "dawn"]).read()
    with pytest.raises(DataError, match=r"log\.csv:2: column 'time': found nothing, expected a time\."):
        source(tmp_path, ["", ""]).read()


@pytest.mark.parametrize("unit", ["auto", "s", "ms", "iso"])
@pytest.mark.parametrize("day", [date(2024, 1, 31), datetime(1970, 8, 23, 6, tzinfo=UTC)])
def test_dates_of_parquet_need_no_unit(day, unit, tmp_path):
    pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "time": [day]}).write_parquet(tmp_path / "log.parquet")
    log = Interactions("log.parquet", timestamp="time", timestamp_unit=unit)
    expected = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert seconds_of(TableSource(str(tmp_path), log)) == [expected.timestamp()]
