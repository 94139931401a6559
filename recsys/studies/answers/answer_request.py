"""The parts of the command `answer`: data, split, language model, launcher and paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from recsys.config.compatibility import check_data
from recsys.config.compose import compose, plain
from recsys.config.known_keys import keys_of
from recsys.config.overrides import override
from recsys.config.value_checks import check_choices, check_flags, check_texts
from recsys.reports.report import FILES
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number

COLD_SPLIT = "cold_items"

# Settings of data=table that drop and count malformed rows and unknown items.
TABLE = "recsys.data.sources.table.TableSource"
LENIENT = {"data.bad_rows": "drop", "data.items.unknown": "drop"}


@dataclass(frozen=True)
class Request:
    """The parsed configuration of the command `answer`.

    Attributes:
        cfg: The configuration of the command.
        data: Overrides of the data, and of the split's parameters.
        split: The split that the command line names; None to choose one by the data.
        encoder: Overrides of the language model.
        further: Overrides of the command `study`: launcher and paths.
        common: Further overrides of every run.
    """

    cfg: DictConfig
    data: list[str]
    split: str | None
    encoder: list[str]
    further: list[str]
    common: list[str]

    @property
    def name(self) -> str:
        """The name of the language model, for labels."""
        return str(self.cfg.choices.encoder)

    @property
    def minutes(self) -> float:
        """Time for the whole answer, in minutes."""
        return float(self.cfg.minutes)

    def run_cfg(self, split: str, *further: str) -> DictConfig:
        """The configuration of a run with this split."""
        paths = [one for one in self.further if one.startswith("paths.")]
        return compose([*self.overrides(split), *further, *paths])

    def overrides(self, split: str) -> list[str]:
        """Overrides of every run with this split."""
        left_out = self.left_out(split)
        return [*(one for one in self.data if one not in left_out), f"split={split}", *self.common]

    def left_out(self, split: str) -> list[str]:
        """Parameters of the command's split that the second study, of cold items, leaves out: its split lacks them."""
        if split != COLD_SPLIT or self.split == COLD_SPLIT:
            return []
        known = keys_of("split", split)
        keys = {one: one.split("=")[0].lstrip("+~").split(".") for one in self.data}
        return [one for one, key in keys.items() if key[0] == "split" and key[1] not in known]


def request(cfg: DictConfig) -> Request:
    """The parts of a composed configuration of the command.

    Raises:
        ConfigError: If a key has an invalid value.
    """
    check_data(cfg)
    check_number("minutes", cfg.minutes, above=0)
    check_flags(cfg, "dry_run")
    if cfg.cold_items is not None:
        check_flags(cfg, "cold_items")
    common = plain(cfg)["common"] or []
    check_texts("common", common)
    check_texts("metrics", plain(cfg)["metrics"])
    check_choices("formats", plain(cfg)["formats"], list(FILES))
    if cfg.choices.encoder in ("none", "random"):
        raise ConfigError(f"encoder is {cfg.choices.encoder}; expected a language model, such as encoder=bert.")
    given = _by_group(cfg.overrides)
    split = next((one.partition("=")[2] for one in given["split"] if one.startswith("split=")), None)
    kept = [one for one in given["split"] if not one.startswith("split=")]
    encoder = [f"encoder={cfg.choices.encoder}", *(one for one in given["encoder"] if "." in one.split("=")[0])]
    return Request(
        cfg=cfg,
        data=[*given["data"], *kept],
        split=split,
        encoder=[*encoder, *_fixed(plain(cfg)["encoder"], encoder)],
        further=[*given["launcher"], *given["paths"]],
        common=list(common),
    )


def lenient(cfg: DictConfig) -> list[str]:
    """Overrides with which a table's bad rows are dropped and counted, unless the command says otherwise."""
    if cfg.data.get("_target_") != TABLE:
        return []
    given = {one.split("=")[0] for one in cfg.overrides}
    return [override(key, value) for key, value in LENIENT.items() if key not in given]


def _by_group(overrides: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in ("data", "split", "encoder", "launcher", "paths")}
    for one in overrides:
        name = one.split("=")[0].lstrip("+~").split(".")[0]
        if name in found:
            found[name].append(one)
    return found


def _fixed(encoder: Mapping[str, Any], given: Sequence[str]) -> list[str]:
    """Overrides that fix the encoder's searched keys, so that the catalogue is encoded only once."""
    chosen = {one.split("=")[0] for one in given}
    keys = [key for key in encoder.get("search") or {} if "." not in key and key in encoder]
    return [override(f"encoder.{key}", encoder[key]) for key in keys if f"encoder.{key}" not in chosen]
