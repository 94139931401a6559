"""The contract of data sources: a test class inherits it and defines `make`."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.sources.base import Source
from recsys.schema import DataError


class SourceContract:
    """Tests of any data source."""

    def make(self, folder: Path) -> Source:
        """A new source of the files in `folder`."""
        raise NotImplementedError

    def write(self, folder: Path) -> None:
        """Write a few rows in the raw format into `folder`; nothing for a source without files."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "raw"
        folder.mkdir()
        self.write(folder)
        return folder

    @pytest.fixture
    def source(self, folder: Path) -> Source:
        return self.make(folder)

    @pytest.fixture
    def data(self, source: Source) -> Dataset:
        return source.read()

    def test_columns_have_the_types_of_a_data_set(self, data: Dataset) -> None:
        types = {schema.USER: pl.Int32, schema.ITEM: pl.Int32, schema.VALUE: pl.Float32}
        types |= {schema.TIMESTAMP: pl.Int64} if data.has_timestamps else {}
        found = data.interactions.schema
        assert {column: found.get(column) for column in types} == types
        assert data.items.schema[schema.ITEM_ID] == data.items.schema[schema.TEXT] == pl.String
        assert data.users.schema[schema.USER_ID] == pl.String
        assert data.items.schema.get(schema.CATEGORIES, pl.List(pl.String)) == pl.List(pl.String)

    def test_indices_count_the_rows_of_users_and_items(self, data: Dataset) -> None:
        for column, n in ((schema.USER, data.n_users), (schema.ITEM, data.n_items)):
            assert data.interactions[column].is_between(0, n - 1).all()
        assert data.interactions.height > 0
        assert data.users[schema.USER_ID].is_unique().all()
        assert data.items[schema.ITEM_ID].is_unique().all()

    def test_each_pair_occurs_once_and_nothing_is_missing(self, data: Dataset) -> None:
        assert not data.interactions.select(schema.USER, schema.ITEM).is_duplicated().any()
        assert (
            data.interactions.select(schema.USER, schema.ITEM, schema.VALUE).null_count().sum_horizontal().item() == 0
        )
        assert data.items[schema.TEXT].null_count() == 0
        assert data.users[schema.USER_ID].null_count() == data.items[schema.ITEM_ID].null_count() == 0

    def test_reading_again_gives_the_same_data(self, data: Dataset, folder: Path) -> None:
        again = self.make(folder).read()
        assert again.fingerprint == data.fingerprint
        assert again.name == data.name == self.make(folder).name

    def test_the_identity_is_plain_and_does_not_depend_on_the_folder(self, source: Source, tmp_path: Path) -> None:
        identity = source.identity()
        assert json.loads(json.dumps(identity)) == identity
        assert str(tmp_path) not in json.dumps(identity)

    def test_its_files_are_listed_and_exist(self, source: Source, folder: Path) -> None:
        files = source.files()
        assert files == self.make(folder).files()
        assert all(file.is_file() for file in files)

    def test_a_missing_file_is_reported_when_files_are_read_and_not_before(self, folder: Path, tmp_path: Path) -> None:
        if not any(folder.iterdir()):
            return
        absent = self.make(tmp_path / "absent")
        with pytest.raises(DataError, match="absent"):
            absent.files()
