"""Score recommendation lists that another program made, as a run of the store.

The lists are tested under the same protocol as other runs, and can be compared with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recsys.commands.next_steps import print_next_steps
from recsys.config.compose import compose
from recsys.config.overrides import override
from recsys.data.filters import WITHOUT_VECTOR
from recsys.data.outside_lists import ListFile
from recsys.experiment.run import run as make_run
from recsys.reports.summary import print_run
from recsys.schema import ConfigError
from recsys.support.ids import one_id
from recsys.support.screen import Screen
from recsys.tracking.environment import is_first_process

EXAMPLES = (
    "recsys score file=recs.csv name=LightFM",
    "recsys score file=recs.parquet like=<id>",
    "recsys score -m 'file=recs-${seed}.csv' name=LightFM seed=0,1,2",
)
PROTOCOL = ("data", "split", "metrics", "test_knowledge", "monitor")  # keys whose values `like` takes from another run
RUN_KEYS = (*PROTOCOL, "paths", "seed", "tags", "rerun")  # keys that mean the same in recsys train


def run(cfg: DictConfig) -> None:
    """Score the lists and print the results.

    Raises:
        ConfigError: If a key is set that `like` takes from another run.
        DataError: If the file is malformed, or has no user and item of the data.
    """
    ListFile(cfg.file, **_columns(cfg)).check_columns()  # before the data is loaded
    made = make_run(run_config(cfg))
    if is_first_process():
        console = Screen()
        print_run(made, console)
        baseline = ["compare", f"baseline={made.record.run_id}"]
        print_next_steps(console, cfg, baseline, ["runs", "action=show", f"run={made.record.run_id}"])


def run_config(cfg: DictConfig) -> DictConfig:
    """The configuration of the run that `recsys train ranker=lists` would make."""
    name = Path(cfg.file).stem if cfg.name is None else str(cfg.name)
    given = {"ranker.name": name, "ranker.lists.path": str(cfg.file)}
    given |= {f"ranker.lists.{role}": column for role, column in _columns(cfg).items()}
    own = [override for override in cfg.overrides if _head(override) in RUN_KEYS]
    made = compose(["ranker=lists", *(override(key, str(value)) for key, value in given.items()), *own])
    return made if cfg.like is None else _like(cfg, made)


def _columns(cfg: DictConfig) -> dict[str, str]:
    return {role: column for role, column in cfg["columns"].items() if column is not None}


def _like(cfg: DictConfig, made: DictConfig) -> DictConfig:
    """The configuration with the protocol of another run."""
    import recsys

    decided = [override for override in cfg.overrides if _head(override) in PROTOCOL]
    if decided:
        raise ConfigError(f"{decided[0]}: like={cfg.like} sets this key as well. Omit one of them.")
    other: Any = recsys.load(one_id(cfg, "like"), cfg.paths.runs_dir)
    if (other.record.data_statistics.get("dropped") or {}).get(WITHOUT_VECTOR):
        raise ConfigError(
            f"like={cfg.like}: this run left out items without a vector (encoder.missing=drop), so its data is not "
            "that of the lists. Make it with encoder.missing=mean."
        )
    for key in PROTOCOL:
        OmegaConf.update(made, key, other.cfg[key], merge=False, force_add=True)
        if key in made.choices:
            made.choices[key] = other.record.choices[key]
    own = [override for override in other.record.overrides if _head(override) in PROTOCOL]
    made.overrides = [*made.overrides, *own]
    return made


def _head(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition(".")[0].partition("@")[0]
