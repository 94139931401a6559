"""Training steps per second of `encoder=bert finetune=lora` against a plain loop over peft and `AutoModel`.

Both take the same batches from the same initial weights, without dropout, and must have the same losses.

Example:
    python benchmarks/lora.py
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Comparison, Seconds, median
from omegaconf import DictConfig
from pytorch_lightning import Callback

from recsys.config.compose import compose
from recsys.tracking import environment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recsys.data.splits.split import Split
    from recsys.training.module import RecommenderModule

RIVAL = "peft and AutoModel"
TASK = "one step"
TOLERANCE = 1e-4
WARM_UP = 1  # steps that are not timed
SETTINGS: dict[str, Any] = {"batch_size": 32, "max_history": 5, "rank": 8, "dim": 64, "threads": 1}
TOY = ["data=synthetic", "data.n_users=60", "data.n_items=40", "data.n_interactions=500"]
TOY += ["batches.batch_size=4", "batches.max_history=2"]


@dataclass
class Work:
    """What both sides are given, and the losses that they had."""

    cfg: DictConfig
    folder: Path
    split: Split
    vectors: NDArray[Any]
    steps: int
    losses: dict[str, list[float]] = field(default_factory=dict)


class StepTimer(Callback):
    """When each step began, and when the last one ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        """A step begins."""
        self.times.append(time.perf_counter())

    def on_train_epoch_end(self, *_: Any) -> None:
        """The last one has ended."""
        self.times.append(time.perf_counter())

    def seconds(self) -> float:
        """The mean of a step, without the warm-up."""
        return (self.times[-1] - self.times[WARM_UP]) / (len(self.times) - 1 - WARM_UP)


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print its table and write its figures.

    Raises:
        SystemExit: If a loss differs by more than `TOLERANCE`.
    """
    arguments = _arguments(argv)
    with tempfile.TemporaryDirectory() as scratch:
        work = _work(Path(scratch), arguments.steps + WARM_UP, TOY if arguments.tiny else [])
        comparison = _comparison(work)
        comparison.run(arguments.repeats, lambda: _ours(work), lambda: _plain(work))
        comparison.checks = _checks(comparison, work)
    comparison.show()
    if not arguments.tiny:
        comparison.save()
    if comparison.checks["largest difference of a loss"] > TOLERANCE:
        raise SystemExit(f"The losses differ by more than {TOLERANCE}: this compares different work.")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--tiny", action="store_true", help="toy data, one repeat of two steps, to see that it runs")
    arguments = parser.parse_args(argv)
    if arguments.tiny:
        arguments.repeats, arguments.steps = 1, 2
    return arguments


def _comparison(work: Work) -> Comparison:
    return Comparison(
        name="lora",
        what=f"LoRA steps of all-MiniLM-L6-v2 with in-batch softmax on {work.split.dataset.n_items:,} texts",
        settings={"steps": work.steps, **SETTINGS},
        rival_name=RIVAL,
        versions={**environment.versions(), "peft": version("peft")},
    )


def _work(scratch: Path, steps: int, data: list[str]) -> Work:
    import torch

    from recsys.experiment.inputs import load_split, text_features

    torch.set_num_threads(SETTINGS["threads"])
    folder = _without_dropout(scratch / "minilm")
    cfg = compose([*_overrides(scratch, folder, steps), *data])
    split = load_split(cfg)
    return Work(cfg, folder, split, text_features(cfg, split).vectors, steps)


def _without_dropout(folder: Path) -> Path:
    """MiniLM with a configuration whose dropout rates are 0."""
    from recsys.language_models.weights import MINILM, find_weights

    original = find_weights(MINILM)
    folder.mkdir()
    for path in original.iterdir():
        if path.is_file() and path.name != "config.json":
            (folder / path.name).symlink_to(path)
    settings = json.loads((original / "config.json").read_text())
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def _overrides(scratch: Path, folder: Path, steps: int) -> list[str]:
    return [
        "encoder=bert",
        f"encoder.weights={folder}",
        "encoder.device=cpu",
        "finetune=lora",
        f"finetune.rank={SETTINGS['rank']}",
        "profile=mean",
        "ranker=dot",
        "negatives=in_batch",
        "loss=sampled_softmax",
        "callbacks=none",
        "logger=none",
        f"features.dim={SETTINGS['dim']}",
        f"batches.batch_size={SETTINGS['batch_size']}",
        f"batches.max_history={SETTINGS['max_history']}",
        "batches.examples_per_loop_step=0",
        "trainer.max_epochs=1",
        f"trainer.limit_train_batches={steps}",
        "trainer.limit_val_batches=0",
        "trainer.enable_progress_bar=false",
        f"paths.cache_dir={scratch / 'cache'}",
        f"paths.runs_dir={scratch / 'runs'}",
    ]


def _module(work: Work) -> RecommenderModule:
    import pytorch_lightning as pl

    from recsys.experiment.build import assemble

    pl.seed_everything(work.cfg.seed, verbose=False)
    return assemble(work.cfg, work.split, work.vectors)


def _ours(work: Work) -> Seconds:
    from recsys.experiment.build import build_datamodule, build_trainer
    from recsys.training.log_filters import hush

    hush()
    module, timer = _module(work), StepTimer()
    trainer = build_trainer(work.cfg, [timer])
    trainer.fit(module, build_datamodule(work.cfg, work.split, module.recommender))
    work.losses["ours"] = [float(loss) for loss in module.losses]
    return {TASK: timer.seconds()}


def _plain(work: Work) -> Seconds:
    import torch
    from bare_lora import PlainLora

    start, cfg = _module(work), work.cfg
    lora = {"r": cfg.finetune.rank, "lora_alpha": cfg.finetune.alpha, "lora_dropout": cfg.finetune.dropout}
    texts, length = work.split.dataset.texts, cfg.encoder.max_length
    model = PlainLora(work.folder, texts, length, lora, start.recommender).train()
    optimizer = model.optimizer(cfg.learning_rate, cfg.finetune.learning_rate, cfg.optimizer.weight_decay)
    given, timer, losses = _batches(work, start), StepTimer(), []
    for batch, negatives in given:
        timer.on_train_batch_start()
        loss = model(batch, negatives)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    timer.on_train_epoch_end()
    work.losses[RIVAL] = losses
    assert torch.isfinite(torch.tensor(losses)).all()
    return {TASK: timer.seconds()}


def _batches(work: Work, module: RecommenderModule) -> list[tuple[Any, Any]]:
    """The first batches with their negatives, made before the clock starts."""
    import torch

    from recsys.experiment.build import build_datamodule

    module.make_sampler(torch.device("cpu"))
    assert module.sampler is not None
    loader = build_datamodule(work.cfg, work.split, module.recommender).train_dataloader()
    first = [batches[0] for batches in islice(loader, work.steps)]
    return [(batch, module.sampler.draw(batch, torch.Generator())) for batch in first]


def _checks(comparison: Comparison, work: Work) -> dict[str, float]:
    import torch

    ours, plain = work.losses["ours"], work.losses[RIVAL]
    assert len(ours) == len(plain) == work.steps
    asked = [
        torch.cat([batch.positives, batch.users.history[batch.users.history_mask]])
        for batch, _ in _batches(work, _module(work))
    ]
    sides = {"ours": comparison.ours, RIVAL: comparison.rival}
    return {
        **{f"{name} steps per second": round(1 / median(seconds, TASK), 3) for name, seconds in sides.items()},
        "texts asked for in a step": round(sum(map(len, asked)) / work.steps, 1),
        "distinct items among them": round(sum(items.unique().numel() for items in asked) / work.steps, 1),
        "first loss": round(ours[0], 6),
        "last loss": round(ours[-1], 6),
        "largest difference of a loss": max(abs(one - other) for one, other in zip(ours, plain, strict=True)),
    }


if __name__ == "__main__":
    main()
