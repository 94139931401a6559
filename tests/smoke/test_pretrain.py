"""Pretraining as a command: a folder that an encoder reads, the same after a kill."""

from __future__ import annotations

import json
import time
from pathlib import Path

import polars as pl
import pytest
from commands import Command, run

import recsys
from recsys.commands.pretrain import _check
from recsys.experiment.inputs import load_split
from recsys.experiment.text_pretraining import train_texts
from recsys.schema import ITEM, TIMESTAMP, USER

SIZES = ["encoder.sizes={vocabulary_size: 400, n_layers: 1, n_heads: 2, hidden_dim: 16}", "encoder.max_length=48"]


@pytest.fixture
def texts_data(small_data):
    return [override for override in small_data if override.startswith("data")]


@pytest.fixture
def split(texts_data, cache_dir):
    return load_split(recsys.compose([*texts_data, f"paths.cache_dir={cache_dir}"], "pretrain"))


@pytest.mark.slow
def test_a_killed_command_gives_the_same_folder_which_an_encoder_reads(texts_data, small_data, tmp_path, cache_dir):
    command = [*texts_data, *SIZES, "encoder.pretraining.epochs=12", "texts=both"]
    whole = run("pretrain", *command, "output=whole", cwd=tmp_path, cache=tmp_path / "one")
    assert whole.returncode == 0, whole.stderr
    assert "held-out perplexity" in whole.stdout
    killed = Command("pretrain", *command, cwd=tmp_path, environment={"RECSYS_CACHE": str(tmp_path / "other")})
    kept = tmp_path / "other" / "pretrained"
    deadline = time.monotonic() + 120
    while not list(kept.glob(".*.state")) and killed.is_running() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()
    assert list(kept.glob(".*.state")), "killed between its first epoch and its last"
    resumed = run("pretrain", *command, "output=resumed", cwd=tmp_path, cache=tmp_path / "other")
    assert resumed.returncode == 0, resumed.stderr
    one, other = (tmp_path / name for name in ("whole", "resumed"))
    assert {path.name for path in one.iterdir()} >= {"model.safetensors", "config.json", "tokenizer.json"}
    for name in ("model.safetensors", "tokenizer.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}"]
    used = recsys.run([*small_data, "encoder=gpt2", f"encoder.weights={one}", "encoder.max_length=48", *paths])
    sha256 = json.loads((one / "pretraining.json").read_text())["sha256"]
    assert used.record.encoding["identity"]["sha256"] == sha256


def test_texts_are_those_of_train_items_and_of_train_histories(split):
    items = train_texts(split, "items", 4)
    assert sorted(items) == sorted(text for text, n in zip(split.dataset.texts, split.item_counts, strict=True) if n)
    histories = train_texts(split, "histories", 4)
    one = split.train.filter(pl.col(USER) == split.train[USER][0]).sort(TIMESTAMP, maintain_order=True)[ITEM].to_list()
    expected = "\n".join(split.dataset.texts[item] for item in one[:4])
    assert histories[0] == expected
    assert histories[1].startswith(split.dataset.texts[one[4]])
    n_written = sum(text.count("\n") + 1 for text in histories)
    assert n_written == split.train.height + sum(text.count("\n") for text in items)
    assert train_texts(split, "both", 4) == [*items, *histories]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["encoder=tfidf"], "encoder=tfidf has no language model"),
        (["encoder=transformer"], "encoder=transformer has no language model"),
        (["texts=users"], "texts is 'users'; expected items, histories, both"),
        (["items_per_text=0"], "items_per_text is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(overrides, message):
    with pytest.raises(recsys.schema.ConfigError, match=message):
        _check(recsys.compose(overrides, "pretrain"))


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(recsys.schema.ConfigError, match="of an earlier pretraining"):
        _check(recsys.compose([f"output={tmp_path}"], "pretrain"))
    assert Path(tmp_path / "thesis.txt").exists()
