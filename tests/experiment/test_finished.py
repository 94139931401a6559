"""A finished run is reopened with what it was made of, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

import recsys
from recsys.experiment.inputs import load_split
from recsys.schema import ComparisonError, ConfigError

CONCAT = ["encoder=concat", "encoder.parts.bert=null", "+encoder@encoder.parts.given=vectors"]


@pytest.mark.parametrize("is_part", [False, True])
def test_a_run_whose_vectors_have_changed_is_not_reopened(is_part, small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / 'runs'}"]
    ids = load_split(recsys.compose([*small_data, *paths])).dataset.items["item_id"].to_list()
    file, drawn = tmp_path / "v.safetensors", np.random.default_rng(0).standard_normal((2, len(ids), 4))
    chosen = recsys.save_vectors(file, drawn[0], ids)
    chosen = [*CONCAT, f"encoder.parts.given.path='{file}'"] if is_part else chosen
    run = recsys.run([*small_data, *paths, *chosen, "ranker=itemknn"])
    assert recsys.load(run.folder).model.ranker is not None
    recsys.save_vectors(file, drawn[1], ids)
    with pytest.raises(ConfigError, match="encoder: the file of vectors or weights has changed since run"):
        _ = recsys.load(run.folder).model


@pytest.mark.parametrize("is_part", [False, True])
def test_files_of_vectors_are_compared_but_not_two_contents_of_one(is_part, small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / 'runs'}"]
    ids = load_split(recsys.compose([*small_data, *paths])).dataset.items["item_id"].to_list()
    drawn = np.random.default_rng(0).standard_normal((3, len(ids), 4))

    def run_of(name, vectors, seed=0):
        file = tmp_path / f"{name}.safetensors"
        chosen = recsys.save_vectors(file, vectors, ids)
        chosen = [*CONCAT, f"encoder.parts.given.path='{file}'"] if is_part else chosen
        return recsys.run([*small_data, *paths, *chosen, "ranker=itemknn", f"seed={seed}"])

    images, sounds = run_of("images", drawn[0]), run_of("sounds", drawn[1])
    assert len(recsys.compare([images, sounds]).rows) == 2
    changed = run_of("images", drawn[2], seed=1)
    with pytest.raises(ComparisonError, match="identity of the encoder"):
        recsys.compare([images, changed])
