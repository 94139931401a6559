"""A change of a user's own code makes another run, in one process and in two; labels are those of what ran."""

from __future__ import annotations

import importlib
import json
import sys

import pytest
from commands import Command
from full import only_full
from omegaconf import OmegaConf

import recsys
from recsys.experiment.record_fields import label
from recsys.reports.comparison import compare
from recsys.schema import ComparisonError
from recsys.tracking.store import Store

PARTS = """
from torch.nn.functional import softplus
from recsys.encoders.random import RandomEncoder
from recsys.metrics.accuracy import NDCG
from recsys.rankers.dot import DotRanker


class MyEncoder(RandomEncoder):
    def encode(self, texts):
        return super().encode(texts) ** 1  # encoder

    def identity(self):
        return {"encoder": "mine"}


class MyRanker(DotRanker):
    def user_factors_of(self, users):
        return super().user_factors_of(users) * 1.0  # ranker


def my_loss(positive, negative, mask):
    return softplus(1.0 * (negative - positive[:, None])).mean()  # loss


class MyMetric(NDCG):
    def measure(self, batch, k):
        return super().measure(batch, k) * 1.0  # metric
"""
EDITS = {
    "encoder": ("** 1  # encoder", "** 3  # encoder"),
    "ranker": ("* 1.0  # ranker", "* 2.0  # ranker"),
    "loss": ("1.0 * (", "0.1 * ("),
    "metric": ("* 1.0  # metric", "* 0.5  # metric"),
}
CHOSEN = {
    "encoder": ["encoder=random", "encoder.dim=8", "encoder._target_=my_parts.MyEncoder"],
    "ranker": ["encoder=random", "encoder.dim=8", "ranker._target_=my_parts.MyRanker"],
    "loss": ["encoder=random", "encoder.dim=8", "loss=bpr", "loss._target_=my_parts.my_loss"],
    "metric": ["encoder=random", "encoder.dim=8", "metrics.metrics.ndcg._target_=my_parts.MyMetric"],
}


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """The file of a user's own module."""
    path = tmp_path / "my_parts.py"
    path.write_text(PARTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield path
    sys.modules.pop("my_parts", None)


@pytest.fixture
def make(small_data, cache_dir, tmp_path):
    def made(*overrides):
        paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / 'runs'}"]
        return recsys.run([*small_data, "features.dim=8", *paths, *overrides])

    return made


@pytest.mark.parametrize("part", [pytest.param(part, marks=[pytest.mark.slow] * (part != "encoder")) for part in EDITS])
def test_a_mended_part_is_another_run_with_other_numbers(parts, make, part):
    first = make(*CHOSEN[part])
    parts.write_text(PARTS.replace(*EDITS[part]))
    if "my_parts" in sys.modules:
        importlib.reload(sys.modules["my_parts"])
    second = make(*CHOSEN[part])
    assert second.record.run_id != first.record.run_id
    assert second.record.metrics != first.record.metrics
    assert first.record.code.keys() == {"recsys", "my_parts"}
    assert make(*CHOSEN[part]).record == second.record
    store = Store(second.folder.parent)
    other = make(*CHOSEN[part], "seed=1")
    with pytest.raises(ComparisonError) as refusal:
        compare([first.record, other.record], store, None, ["recall@10"])
    assert "code of my_parts: " in str(refusal.value)
    assert f"in {first.record.run_id}; " in str(refusal.value)
    parts.write_text(PARTS)
    importlib.reload(sys.modules["my_parts"])
    assert make(*CHOSEN[part]).record == first.record


@pytest.mark.slow
@pytest.mark.parametrize("part", ["encoder", pytest.param("ranker", marks=only_full)])
def test_a_mended_part_is_another_run_of_another_process(parts, small_data, tmp_path, part):
    paths = [f"paths.cache_dir={tmp_path / 'cache'}", f"paths.runs_dir={tmp_path / 'runs'}"]
    for text in (PARTS, PARTS.replace(*EDITS[part])):
        parts.write_text(text)
        (tmp_path / "train.py").write_text(
            f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom recsys.commands.main import main\n"
            "main(['train', *sys.argv[1:]])\n"
        )
        arguments = [*small_data, "features.dim=8", *CHOSEN[part], *paths]
        assert Command(tmp_path / "train.py", *arguments, cwd=tmp_path).finish().returncode == 0
    one, other = Store(tmp_path / "runs").records()
    assert one.code["my_parts"] != other.code["my_parts"]
    assert one.metrics != other.metrics


def test_a_run_is_labelled_by_what_ran(parts):
    chosen = recsys.compose(["encoder=random", "ranker=dot"])
    assert label(chosen) == "random+dot"
    chosen.encoder = OmegaConf.create({"_target_": "my_parts.MyEncoder"})
    assert label(chosen) == "MyEncoder+dot"
    chosen.ranker._target_ = "my_parts.MyRanker"
    assert label(chosen) == "MyEncoder+MyRanker"
    nothing = recsys.compose(["encoder=none", "ranker=cf"])
    assert label(nothing) == "cf"
    nothing.encoder = OmegaConf.create({"_target_": "my_parts.MyEncoder"})
    assert label(nothing) == "MyEncoder+cf"


def test_the_record_of_a_replaced_part_names_it(parts, make):
    record = make(*CHOSEN["encoder"]).record
    assert (record.name, record.choices["encoder"]) == ("MyEncoder+dot", "MyEncoder")
    assert record.contents == {"encoder_content": {"encoder": "mine"}}


@pytest.mark.slow
def test_another_model_in_the_same_folder_is_not_another_seed(make, tmp_path):
    from encoders.tiny_models import bert_folder

    folder = tmp_path / "weights"
    chosen = ["encoder=transformer", "encoder.max_length=16", f"encoder.weights={bert_folder(folder)}"]
    first = make(*chosen)
    bert_folder(folder, initializer_range=0.9)
    second = make(*chosen, "seed=1")
    with pytest.raises(ComparisonError) as refusal:
        compare([first.record, second.record], Store(first.folder.parent), None, ["ndcg@10"])
    assert f"content of the weights {folder}: " in str(refusal.value)
    assert json.dumps(first.record.contents) != json.dumps(second.record.contents)
