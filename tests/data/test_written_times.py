"""Formats of written times: recognised, or reported where several fit."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from recsys.data.sources.table import Interactions, TableSource
from recsys.data.sources.written_times import fitting
from recsys.schema import TIMESTAMP, DataError

AUTO = Interactions("log.csv", timestamp="time", timestamp_unit="auto")
DAY = datetime(2024, 1, 31, tzinfo=UTC)


def read(folder, *values):
    rows = [f'u,i{place},"{value}"' for place, value in enumerate(values)]
    (folder / "log.csv").write_text("\n".join(["user_id,item_id,time", *rows]) + "\n")
    return TableSource(str(folder), AUTO).read().interactions[TIMESTAMP].sort().to_list()


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("31.01.2024", 0, 0),
        ("31/01/2024 13:05", 13, 5),
        ("01/31/2024", 0, 0),
        ("1/31/2024 1:05 PM", 13, 5),
        ("2024/01/31", 0, 0),
        ("20240131", 0, 0),
        ("20240131130500", 13, 5),
        ("31 Jan 2024", 0, 0),
        ("2024-01-31T13:05:00Z", 13, 5),
    ],
)
def test_a_written_time_is_recognised(tmp_path, text, hour, minute):
    expected = DAY.replace(hour=hour, minute=minute)
    assert read(tmp_path, text) == [int(expected.timestamp()) * 1_000_000]


def test_one_day_above_12_decides_for_all_rows(tmp_path):
    days = [datetime(2024, month, day, tzinfo=UTC) for month, day in ((2, 1), (2, 13))]
    assert read(tmp_path, "01/02/2024", "13/02/2024") == [int(day.timestamp()) * 1_000_000 for day in days]


def test_days_that_may_be_months_are_an_error(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, "01/02/2024", "02/02/2024")
    assert str(caught.value).endswith(
        "column 'time': several formats fit times such as '01/02/2024'; set "
        "data.interactions.timestamp_unit='%d/%m/%Y' or data.interactions.timestamp_unit='%m/%d/%Y'."
    )


def test_typing_errors_do_not_decide():
    american = [f"01/{day}/2024" for day in range(10, 32)]
    assert fitting(pl.Series([*american, "31/01/2024"])) == ["%m/%d/%Y"]
    assert fitting(pl.Series(["01/31/2024", "31/01/2024"])) == ["%d/%m/%Y", "%m/%d/%Y"]
    assert fitting(pl.Series(["02/02/2024"])) == ["%d/%m/%Y"]  # the same day in both
    assert fitting(pl.Series(["noon", "12345"])) == []
