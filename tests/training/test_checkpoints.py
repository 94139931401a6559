"""A checkpoint is written whole, where it belongs, or not at all."""

from functools import partial
from pathlib import Path

import pytest
import torch

from recsys.schema import StoreError
from recsys.support.whole_files import RUNS, write_atomically
from recsys.training.checkpoints import AtomicCheckpointIO

CHECKPOINTS = AtomicCheckpointIO(partial(write_atomically, key=RUNS))


def test_it_is_read_back(tmp_path):
    path = tmp_path / "deep" / "last.ckpt"
    CHECKPOINTS.save_checkpoint({"epoch": 3, "weights": torch.arange(4)}, path)
    content = torch.load(path, weights_only=True)
    assert content["epoch"] == 3
    assert torch.equal(content["weights"], torch.arange(4))


def test_an_interrupted_write_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    CHECKPOINTS.save_checkpoint({"epoch": 3}, path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        CHECKPOINTS.save_checkpoint({"epoch": 4}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 3}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*last\.ckpt"):
        CHECKPOINTS.save_checkpoint({}, tmp_path / "file" / "last.ckpt")
