"""Texts of a language model join a split if they read its train part at most; who read more is refused."""

from __future__ import annotations

import polars as pl
import pytest
import yaml

from recsys.config.compose import compose
from recsys.data.written_texts import texts_hash
from recsys.experiment.inputs import load_split
from recsys.experiment.run_identity import identify
from recsys.schema import ConfigError

ITEMS_READ = ["item_text='{text} {written}'"]
USERS_READ = ["ranker=dot", "profile=text", "profile.template='{written}'"]


@pytest.fixture
def settings(cache_dir):
    return ["data=synthetic", f"paths.cache_dir={cache_dir}"]


@pytest.fixture
def split(settings):
    return load_split(compose(settings))


def plant(path, table, **provenance):
    """A file of texts with this provenance."""
    table.write_parquet(path)
    about = {"about": "users" if "user_id" in table.columns else "items", "texts_sha256": texts_hash(table)}
    path.with_suffix(".yaml").write_text(yaml.safe_dump({**about, "model": "a model", **provenance}))
    return f"written={path}"


def texts_of(frame, key, n=3):
    return pl.DataFrame({key: frame[key][:n], "written": [f"text {row}" for row in range(n)]})


@pytest.fixture
def user_texts(split):
    return texts_of(split.dataset.users, "user_id")


@pytest.fixture
def item_texts(split):
    return texts_of(split.dataset.items, "item_id")


def test_item_texts_are_a_column_for_item_text(settings, split, item_texts, tmp_path):
    written = plant(tmp_path / "items.parquet", item_texts, interactions_read="none")
    joined = load_split(compose([*settings, written, *ITEMS_READ]))
    assert joined.dataset.texts[:3] == [f"{text} text {row}" for row, text in enumerate(split.dataset.texts[:3])]
    assert joined.dataset.texts[3:] == split.dataset.texts[3:]
    assert joined.data_texts == split.dataset.texts
    assert (joined.fingerprint, joined.dataset.fingerprint) == (split.fingerprint, split.dataset.fingerprint)
    assert any("3 of" in sentence and "a model" in sentence for sentence in joined.warnings)


def test_user_texts_that_read_the_train_part_are_a_column_of_the_users(settings, split, user_texts, tmp_path):
    read = {"interactions_read": "train", "split_fingerprint": split.fingerprint}
    written = plant(tmp_path / "users.parquet", user_texts, **read)
    joined = load_split(compose([*settings, written, *USERS_READ]))
    assert joined.dataset.users["written"].to_list()[:4] == ["text 0", "text 1", "text 2", None]
    assert any("knows the positives" in sentence for sentence in joined.warnings)
    refitted = load_split(compose([*settings, written, *USERS_READ]), "refit")  # knows more than the texts
    assert refitted.dataset.users["written"][0] == "text 0"


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        ({"interactions_read": "validation"}, "read the interactions 'validation' of the split"),
        ({"interactions_read": "train and validation"}, "read the interactions 'train and validation'"),
        ({"interactions_read": "all"}, "read the interactions 'all'"),
        ({"interactions_read": "train", "split_fingerprint": "0123456789abcdef"}, "of the split 0123456789abcdef"),
        ({"interactions_read": "train", "split_fingerprint": None}, "of the split unknown"),
        ({"interactions_read": "none"}, "read no interactions"),
        ({}, "read unknown interactions"),
        ({"texts_sha256": "0" * 64}, "so which interactions they read is unknown"),
        ({"about": "films"}, "about: films"),
    ],
)
def test_what_read_more_than_the_train_part_is_refused(settings, split, user_texts, tmp_path, planted, message):
    path = tmp_path / "users.parquet"
    provenance = {"split_fingerprint": split.fingerprint, **planted}
    written = plant(path, user_texts, **{key: value for key, value in provenance.items() if value is not None})
    with pytest.raises(ConfigError, match=message) as raised:
        load_split(compose([*settings, written, *USERS_READ]))
    assert str(path.stem) in str(raised.value)


def test_texts_about_items_that_read_interactions_are_refused_likewise(settings, item_texts, tmp_path):
    written = plant(tmp_path / "items.parquet", item_texts, interactions_read="all")
    with pytest.raises(ConfigError, match="read the interactions 'all'"):
        load_split(compose([*settings, written, *ITEMS_READ]))


def test_texts_of_another_split_of_the_same_data_are_refused(settings, split, user_texts, tmp_path):
    read = {"interactions_read": "train", "split_fingerprint": split.fingerprint}
    written = plant(tmp_path / "users.parquet", user_texts, **read)
    with pytest.raises(ConfigError, match=f"of the split {split.fingerprint}"):
        load_split(compose([*settings, written, *USERS_READ, "split.seed=1"]))
    with pytest.raises(ConfigError, match="train_share"):
        load_split(compose([*settings, written, *USERS_READ, "train_share=0.5"]))


def test_changed_texts_and_texts_without_provenance_are_refused(settings, split, user_texts, tmp_path):
    path = tmp_path / "users.parquet"
    read = {"interactions_read": "train", "split_fingerprint": split.fingerprint}
    written = plant(path, user_texts, **read)
    load_split(compose([*settings, written, *USERS_READ]))
    user_texts.with_columns(pl.col("written") + " and the film of tomorrow").write_parquet(path)
    with pytest.raises(ConfigError, match="write the texts again"):
        load_split(compose([*settings, written, *USERS_READ]))
    path.with_suffix(".yaml").unlink()
    with pytest.raises(ConfigError, match=r"has no users\.yaml beside it"):
        load_split(compose([*settings, written, *USERS_READ]))


@pytest.mark.parametrize("about", ["items", "users"])
def test_texts_that_nobody_reads_are_an_error(settings, split, item_texts, user_texts, tmp_path, about):
    read = {"interactions_read": "train", "split_fingerprint": split.fingerprint}
    written = plant(tmp_path / "texts.parquet", item_texts if about == "items" else user_texts, **read)
    with pytest.raises(ConfigError, match="is not used"):
        load_split(compose([*settings, written]))


def test_malformed_files_are_errors(settings, item_texts, tmp_path):
    path = tmp_path / "items.parquet"
    for table, message in (
        (pl.concat([item_texts, item_texts]), "more than once"),
        (item_texts.with_columns(item_id=pl.lit("?") + pl.col("item_id")), "about none of the data's"),
    ):
        written = plant(path, table, interactions_read="none")
        with pytest.raises(ConfigError, match=message):
            load_split(compose([*settings, written, *ITEMS_READ]))
    with pytest.raises(ConfigError, match="recsys write makes such a file"):
        load_split(compose([*settings, "written=absent.parquet"]))
    written = plant(path, item_texts, interactions_read="none")
    with pytest.raises(ConfigError, match="two files about items"):
        load_split(compose([*settings, f"written=[{path},{path}]", *ITEMS_READ]))


def test_the_content_names_the_run_and_not_the_path(settings, item_texts, tmp_path):
    plain = identify(compose(settings))
    names = []
    for name in ("one", "two"):
        written = plant(tmp_path / f"{name}.parquet", item_texts, interactions_read="none", made=name)
        names.append(identify(compose([*settings, written, *ITEMS_READ])))
    changed = item_texts.with_columns(pl.col("written") + "!")
    written = plant(tmp_path / "one.parquet", changed, interactions_read="none")
    assert names[0] == names[1] != plain
    assert identify(compose([*settings, written, *ITEMS_READ])) not in (*names, plain)
