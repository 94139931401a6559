"""The composed and checked configurations of a study's cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import DictConfig, open_dict

from recsys.config.compatibility import check
from recsys.config.compose import compose, copied, plain
from recsys.config.overrides import override
from recsys.config.trust import allow_servers_of
from recsys.data.written_texts import read_all
from recsys.experiment.record_fields import label
from recsys.experiment.teacher import teacher_of
from recsys.reports.split_checks import RANDOM_SPLITS
from recsys.schema import ConfigError
from recsys.studies.cell_definitions import CellDefinition, expand
from recsys.studies.cell_space import CellSpace
from recsys.studies.entries import check_metrics, check_study
from recsys.studies.fixed import Fixed
from recsys.studies.trials import MAX_SECONDS
from recsys.studies.windows import is_draw
from recsys.tracking.names import check_name
from recsys.tracking.run_id import cell_id
from recsys.tracking.study_record import cell_label, cell_name

SET_BY_SPLITS = tuple(  # keys that windows and draws set
    f"split.{key} " for key in ("train_from", "validation_from", "test_from", "test_until", "seed")
)
NAMED_BY_PARTS = ("encoder", "ranker")  # groups whose options are in a run's default label


@dataclass(frozen=True)
class PlannedCell:
    """A cell with its label and the configuration of its runs.

    Attributes:
        label: Its label, unique in the study.
        cell: Its definition.
        cfg: Its configuration, with the first seed.
    """

    label: str
    cell: CellDefinition
    cfg: DictConfig

    @property
    def name(self) -> str:
        """The label without the window of time: the same in all windows."""
        return cell_name(self.label, self.cell.window)

    def with_seed(self, seed: int) -> DictConfig:
        """The configuration of one of its runs."""
        cfg = copied(self.cfg)
        cfg.seed = seed
        cfg.overrides = [*self.cell.overrides, f"seed={seed}"]
        return cfg


def plan(cfg: DictConfig) -> list[PlannedCell]:
    """The cells of a study, each composed and checked before the first run begins.

    Raises:
        ConfigError: If a cell's configuration is invalid, its written texts or its teacher are missing, or two cells
            are the same.
    """
    check_study(cfg)
    check_name("study.name", cfg.study.name)
    expanded = expand(cfg.study)
    every = [_composed(cfg, cell) for cell in expanded]
    chosen = _only(cfg.study, zip(_labels(expanded, every), expanded, every, strict=True))
    labels, cells, composed = map(list, zip(*chosen, strict=True))
    for run_cfg in composed:
        check(run_cfg)
        allow_servers_of(plain(run_cfg))
        read_all(plain(run_cfg).get("written"))
        teacher_of(run_cfg)
    check_metrics(cfg, composed)
    check_splits(cells, composed)
    fixed = [Fixed(cell.overrides) for cell in cells]
    # With a search, a cell that sets a key to its default differs from one whose search may change it.
    _check_distinct(
        labels, composed, [sorted(own.keys) + sorted(own.groups) if cfg.search.n_trials else [] for own in fixed]
    )
    return [PlannedCell(*entry) for entry in zip(labels, cells, composed, strict=True)]


def names_of_all(cfg: DictConfig) -> list[str]:
    """The labels of all cells, without windows and draws, also of those that `study.only` leaves out.

    Raises:
        ConfigError: If a cell's configuration cannot be composed.
    """
    expanded = expand(cfg.study)
    return _names(_labels(expanded, [_composed(cfg, cell) for cell in expanded]), expanded)


def _names(labels: Iterable[str], cells: Iterable[CellDefinition]) -> list[str]:
    return [cell_name(label, cell.window) for label, cell in zip(labels, cells, strict=True)]


def check_splits(cells: Sequence[CellDefinition], composed: Sequence[DictConfig]) -> None:
    """Raise an error for a cell whose split has no cuts in time, or no random draws.

    Raises:
        ConfigError: If there is such a cell; the message names it and its split.
    """
    for cell, run_cfg in zip(cells, composed, strict=True):
        if cell.window is None:
            continue
        of_draws = is_draw(cell.window)
        if run_cfg.choices.split not in RANDOM_SPLITS if of_draws else "test_until" not in run_cfg.split:
            own = " ".join(cell.own) or "a cell"
            raise ConfigError(f"{_needed(cell.window)}, and {own} has split={run_cfg.choices.split}.")


def _needed(window: str) -> str:
    if is_draw(window):
        return f"study.draws needs split={' or '.join(RANDOM_SPLITS)}"
    return "study.windows needs split=temporal"


def _composed(cfg: DictConfig, cell: CellDefinition) -> DictConfig:
    """A cell's configuration; an error about a key that the windows or draws set names these."""
    try:
        return compose_run(cfg, cell.overrides)
    except ConfigError as error:
        if cell.window is None or not str(error).startswith(SET_BY_SPLITS):
            raise
        raise ConfigError(f"{_needed(cell.window)}: put it into study.common.") from error


def compose_run(
    cfg: DictConfig, overrides: Sequence[str], tuning: dict[str, Any] | None = None, seed: int | None = None
) -> DictConfig:
    """The configuration of a study's run, with the study's paths and, by default, its first seed."""
    with_seed = f"seed={cfg.study.seeds[0] if seed is None else seed}"
    paths = [override(f"paths.{key}", cfg.paths[key]) for key in ("runs_dir", "cache_dir")]
    run_cfg = compose([*overrides, with_seed, *paths])
    with open_dict(run_cfg):
        run_cfg.overrides = [*overrides, with_seed]
        run_cfg.tags = [*run_cfg.tags, cfg.study.name]
        run_cfg.tuning = {"study": cfg.study.name, "trials": 0, **(tuning or {})}
        run_cfg.trainer.enable_progress_bar = not cfg.quiet
    return run_cfg


def retuned(cfg: DictConfig, planned: PlannedCell, parameters: dict[str, str]) -> PlannedCell:
    """A cell with its tuned parameters, whose values are written as in an override."""
    cell = replace(planned.cell, own=[*planned.cell.own, *(f"{key}={value}" for key, value in parameters.items())])
    limit = {} if cfg.search.get(MAX_SECONDS) is None else {MAX_SECONDS: float(cfg.search.max_seconds)}
    tuning = {"trials": cfg.search.n_trials, **limit, "parameters": parameters}
    return replace(planned, cell=cell, cfg=compose_run(cfg, cell.overrides, tuning))


def space_of(cfg: DictConfig, planned: PlannedCell) -> CellSpace:
    """The search space of a cell.

    Raises:
        ConfigError: If it is malformed.
    """
    overrides = planned.cell.overrides
    return CellSpace(overrides, lambda further: compose_run(cfg, [*overrides, *further]), cfg.study.space)


def _labels(cells: Sequence[CellDefinition], composed: Sequence[DictConfig]) -> list[str]:
    names = [cell.label or label(run_cfg) for cell, run_cfg in zip(cells, composed, strict=True)]
    of_windows = [(name, cell.window) for name, cell in zip(names, cells, strict=True)]
    found = [
        name if cell.label or of_windows.count((name, cell.window)) == 1 else f"{name}{_further(cell)}"
        for name, cell in zip(names, cells, strict=True)
    ]
    return [cell_label(name, cell.window) for name, cell in zip(found, cells, strict=True)]


def _only(study: DictConfig, cells: Iterable[tuple[str, CellDefinition, DictConfig]]) -> list[Any]:
    """The labelled cells whose labels, without the window of time or draw, are among `study.only`.

    Raises:
        ConfigError: If a label is that of no cell.
    """
    found = list(cells)
    if study.only is None:
        return found
    names = _names([label for label, _, _ in found], [cell for _, cell, _ in found])
    unknown = [str(label) for label in study.only if label not in names]
    if unknown or not study.only:
        raise ConfigError(
            f"study.only has {', '.join(unknown) or 'no label'}; expected labels of the study's cells: "
            f"{', '.join(dict.fromkeys(names))}."
        )
    return [own for own, name in zip(found, names, strict=True) if name in study.only]


def _further(cell: CellDefinition) -> str:
    """A cell's overrides in brackets, except those that its default label has already; empty if there are no others."""
    further = [own for own in cell.own if own.split("=")[0] not in NAMED_BY_PARTS]
    return f" ({', '.join(further)})" if further else ""


def _check_distinct(labels: Sequence[str], composed: Sequence[DictConfig], fixed: Sequence[list[str]]) -> None:
    seen: dict[str, str] = {}
    twice = []
    for name, run_cfg, own in zip(labels, composed, fixed, strict=True):
        settings = plain(run_cfg)
        # A cell's identity has the fingerprint of the data, which is unknown here; its source is compared instead.
        identity = f"{cell_id(settings)} {settings['data']} {own}"
        if identity in seen:
            twice.append(f"as {seen[identity]!r} and as {name!r}")
        seen.setdefault(identity, name)
    if twice:
        raise ConfigError(f"study has the same cell twice, {'; '.join(twice)}: leave one of them out.")
