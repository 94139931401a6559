"""Checks of a search, before the first run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from recsys.config.compose import copied
from recsys.config.value_checks import check_flags
from recsys.schema import ConfigError
from recsys.studies.cell_space import CellSpace
from recsys.studies.plan import PlannedCell, plan, space_of
from recsys.studies.search_study import DEFAULTS_FIRST
from recsys.studies.space import has_key, plain_space
from recsys.studies.storage import located
from recsys.studies.trials import MAX_SECONDS
from recsys.studies.tuning import COSTS
from recsys.support.near_names import nearest
from recsys.support.number_checks import check_number, check_whole
from recsys.tracking.study_record import study_folder


def check_search(cfg: DictConfig, cells: Sequence[PlannedCell]) -> list[CellSpace]:
    """Check the search, and return the search space of each cell (an empty list without a search).

    Raises:
        ConfigError: If the search is invalid; the message names the key.
    """
    n = cfg.search.n_trials
    check_whole("search.n_trials", n, 0)
    if n == 0:
        return []
    if cfg.search.sampler is None:
        raise ConfigError(
            f"search.n_trials is {n}, but search={cfg.choices.search} has no sampler; choose search=tpe, random, grid, "
            "cmaes or nsga2."
        )
    check_whole("search.seeds", cfg.search.seeds, 1)
    check_number(f"search.{MAX_SECONDS}", cfg.search.get(MAX_SECONDS), above=0, optional=True)
    check_flags({f"search.{DEFAULTS_FIRST}": cfg.search.get(DEFAULTS_FIRST, False)}, f"search.{DEFAULTS_FIRST}")
    located(cfg.search.storage, study_folder(Path(cfg.paths.runs_dir), cfg.study.name))
    spaces = [space_of(cfg, planned) for planned in cells]
    unused = [key for key in plain_space(cfg.study.space) if not _is_searched(key, spaces)]
    if unused and cfg.study.only is not None:  # an entry may be of the cells that `study.only` leaves out
        every = plan(_whole(cfg))
        unused = [key for key in unused if not _is_searched(key, [space_of(cfg, planned) for planned in every])]
    for key in unused:
        _refuse(key, cells, spaces)
    if cfg.search.cost is not None and cfg.search.cost not in COSTS:
        raise ConfigError(f"search.cost is {cfg.search.cost!r}; expected {', '.join(COSTS)} or null.")
    return spaces


def _is_searched(key: str, spaces: Sequence[CellSpace]) -> bool:
    """Whether an entry of `study.space` has an effect on one of these spaces."""
    return any(key in own.keys or key in own.taken_out for own in spaces)


def _whole(cfg: DictConfig) -> DictConfig:
    """The study with all of its cells."""
    whole = copied(cfg)
    whole.study.only = None
    return whole


def _refuse(key: str, cells: Sequence[PlannedCell], spaces: Sequence[CellSpace]) -> None:
    """Raise an error for an entry of `study.space` that no cell searches.

    Raises:
        ConfigError: Always; the message has the reasons.
    """
    if not any(has_key(planned.cfg, key) for planned in cells):
        known = dict.fromkeys(one for own in spaces for one in own.keys)
        hint = nearest(key, known)
        raise ConfigError(f"study.space has {key}, which is no key of any cell's configuration{hint or '.'}")
    reasons = {p.label: own.left_out[key] for p, own in zip(cells, spaces, strict=True) if key in own.left_out}
    told = "; ".join(f"{label}: {reason}" for label, reason in reasons.items()) or "no cell's components can use it"
    raise ConfigError(f"study.space has {key}, which is searched in no cell ({told}): remove it from study.space.")
