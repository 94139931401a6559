"""Recommend items to known or new users with a run's model.

A new user is a list of items, a text, or both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console

import recsys
from recsys.commands.next_steps import print_header, print_next_steps, run_line
from recsys.schema import ConfigError
from recsys.serving.command_inputs import chosen_users, with_new_items
from recsys.serving.explaining import check_explains, explain
from recsys.serving.item_filters import allowed_items
from recsys.serving.mmr import check_mmr, diverse
from recsys.serving.model import Served, serve
from recsys.serving.output import recommendations, show, tell_without_list, write
from recsys.serving.ranking import rank
from recsys.serving.request import check_request
from recsys.serving.table_files import TextFormat
from recsys.support.ids import one_id
from recsys.support.screen import Screen

EXAMPLES = (
    "recsys recommend run=<id> user=42 top_k=20",
    "recsys recommend run=<id> users=all output=recs.parquet",
)


def run(cfg: DictConfig, console: Console | None = None) -> None:
    """Print or write the best items for the users that the configuration names.

    Raises:
        ConfigError: If no user is named, or a value is unknown or impossible.
        DataError: If a file is malformed.
    """
    console = console or Screen()
    check_request(cfg)
    run = recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir)
    print_header(console, run_line(run.record))
    served = serve(run)
    check_mmr(served, cfg.mmr)
    if cfg.n_reasons is not None:
        check_explains(served, cfg.explain_method)
    served = with_new_items(cfg, served, console)
    served, users = chosen_users(cfg, served, console)
    allowed = allowed_items(served.items, cfg.where, cfg.candidates, TextFormat.of(cfg.data))
    if not cfg.catalogue:
        allowed = only_new(served, allowed)
    # Without re-ranking, the pool is the list itself.
    pool = rank(served, users, max(cfg.top_k, cfg.mmr_pool) if cfg.mmr > 0 else cfg.top_k, allowed)
    ranking = diverse(served, pool, cfg.top_k, cfg.mmr)
    reasons = None if cfg.n_reasons is None else explain(served, users, ranking, cfg.n_reasons, cfg.explain_method)
    frame = recommendations(served, users, ranking, reasons)
    if cfg.output is None:
        show(frame, console)
    else:
        write(frame, cfg.output, console)
    tell_without_list(frame, users, console)
    own = f"run={one_id(cfg, 'run')}"
    everybody = ["recommend", own, "users=all", "output=recommendations.parquet"]
    first = everybody if cfg.users is None else ["refit", own]
    steps = [first, ["evaluate", own]] if run.record.metrics else [everybody]  # a refit on everything has no test
    print_next_steps(console, cfg, *steps)


def only_new(served: Served, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """(n_items,) the items of `allowed` (None for all) that are new since the run.

    Raises:
        ConfigError: If nothing is left.
    """
    new = np.arange(served.items.height) >= served.run.split.dataset.n_items
    new = new if allowed is None else new & allowed
    if not new.any():
        raise ConfigError("catalogue=false recommends only new items, but where or candidates excludes all of them.")
    return new
