"""The fields of a run's record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys import schema
from recsys.config.compatibility import has_text
from recsys.config.compose import UNKNOWN, chosen_target, is_outside, plain
from recsys.experiment.built_once import metric_suite
from recsys.experiment.inputs import cached_data_fingerprint
from recsys.rankers.base import Tunable
from recsys.tracking.memory import peak_mb
from recsys.tracking.record import Record
from recsys.tracking.run_id import flatten
from recsys.tracking.secrets import redacted

if TYPE_CHECKING:
    from recsys.data.splits.split import Split


def measured_fields(module: Any, seconds: dict[str, float], metrics: dict[str, float]) -> dict[str, Any]:
    """Measurements of a run: seconds by stage, peak memory in MB, numbers of weights, and metrics."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.recommender.parameters()]
    ranker = module.recommender.ranker
    if isinstance(ranker, Tunable):
        sizes.append((ranker.n_tuned_weights(), True))
    total = sum(seconds.values())
    return {
        "times": {**seconds, "total": total},
        "peak_memory_mb": peak_mb(),
        "parameters": {
            "trainable": sum(size for size, trained in sizes if trained),
            "total": sum(size for size, _ in sizes),
        },
        "metrics": {name: float(value) for name, value in metrics.items()},
    }


def logged_config(cfg: DictConfig, identifier: str) -> dict[str, Any]:
    """The configuration as loggers write it: by dotted key, without secrets and paths."""
    kept = {key: value for key, value in plain(cfg).items() if key not in ("paths", "overrides", "logger", "callbacks")}
    return {"run_id": identifier, "name": label(cfg), **dict(flatten(redacted(kept)))}


def summary(record: Record) -> dict[str, Any]:
    """A finished run's values for its loggers."""
    seconds = {f"seconds/{stage}": value for stage, value in record.times.items()}
    weights = {f"weights/{kind}": number for kind, number in record.parameters.items()}
    segments = {f"test/{name}": value for name, value in flatten(record.segments)}
    cost = {"epochs": record.epochs, "peak_memory_mb": record.peak_memory_mb}
    return {**record.metrics, **segments, **seconds, **weights, **cost}


def protocol(cfg: DictConfig, split: Split) -> dict[str, Any]:
    """Everything that must be equal between runs that are compared."""
    metrics = plain(cfg.metrics)
    metrics.pop("_target_")
    return {
        **_limits(cfg),
        "data": split.dataset.name,
        "data_fingerprint": cached_data_fingerprint(cfg),
        "split": split.name,
        "split_fingerprint": split.fingerprint,
        "test_knowledge": cfg.test_knowledge,
        "candidates": "the whole catalogue" if split.dataset.impressions is None else "what was shown",
        "masked": "items known before the stage" if split.dataset.impressions is None else "nothing",
        "metrics": metrics,
        "monitor": cfg.monitor,
        "results_version": schema.RESULTS_VERSION,
    }


def _limits(cfg: DictConfig) -> dict[str, Any]:
    """Trainer settings that reduce the number of tested queries, with the size of batches; empty without them."""
    limits = {key: cfg.trainer.get(key) for key in ("limit_test_batches", "fast_dev_run") if cfg.trainer.get(key)}
    return {**limits, "max_scores": cfg.batches.max_scores} if limits else {}


def label(cfg: DictConfig) -> str:
    """A run's short name: "bert+dot", "bert-int8+dot", "cf" on IDs only, or the name of outside lists."""
    if is_outside(cfg.ranker):
        return str(cfg.ranker.name)
    encoder = choice_of(cfg, "encoder")
    text = encoder if has_text(cfg) else None
    if text is not None and (precision := cfg.encoder.get("precision", "float32")) != "float32":
        text = f"{text}-{precision}"  # precision changes the vectors
    return "+".join(filter(None, [text, choice_of(cfg, "ranker")]))


def choice_of(cfg: DictConfig, group: str) -> Any:
    """The choice in a config group: the option's name, or the class if the configuration names another one."""
    option, node = cfg.choices[group], cfg.get(group)
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    if target is None or chosen_target(group, str(option)) in (target, UNKNOWN):
        return option
    return str(target).rpartition(".")[2]


def circumstances(cfg: DictConfig, split: Split, warnings: Sequence[str]) -> dict[str, Any]:
    """The fields of a run's record that describe its protocol, data, software and machine."""
    import torch

    from recsys.data.description import describe
    from recsys.data.sources.faults import faulty_rows_warnings
    from recsys.tracking.environment import git_state, machine, versions

    faulty = faulty_rows_warnings(split.dataset.dropped, split.dataset.interactions.height)
    return {
        "protocol": protocol(cfg, split),
        "data_statistics": describe(split.dataset, split.whole),
        "directions": metric_suite(cfg).directions(),
        "ranges": metric_suite(cfg).ranges(),
        "warnings": [*faulty, *split.warnings, *warnings],
        "versions": versions(),
        "git": git_state(),
        "machine": machine(str(cfg.trainer.accelerator), torch.get_num_threads()),
    }
