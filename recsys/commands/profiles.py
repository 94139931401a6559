"""Write a page with a map and the clusters of a run's user profiles.

Each cluster is described by its nearest items and most typical words.
"""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

import recsys
from recsys.commands.next_steps import print_header, print_next_steps, run_line
from recsys.schema import ConfigError
from recsys.serving.model import Served, serve
from recsys.serving.users import ServedUsers
from recsys.support.number_checks import check_number, check_whole
from recsys.support.screen import Screen
from recsys.support.whole_files import OUTPUT, write_atomically

EXAMPLES = (
    "recsys profiles run=<id> output=profiles.html",
    "recsys profiles run=<id> n_clusters=4",
)


def run(cfg: DictConfig, console: Console | None = None) -> None:
    """Write the page.

    Raises:
        ConfigError: If a value is impossible, or the run has no profiles.
    """
    from recsys.reports.profiles import profiles_page
    from recsys.serving.profile_map import PortraitSettings, check_has_profiles, portraits
    from recsys.serving.written_profiles import with_written
    from recsys.support.ids import one_id

    check_view(cfg)
    run = recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir)
    console = console or Screen()
    print_header(console, run_line(run.record))
    check_has_profiles(serve(run))
    users, n_all = _chosen(serve(run), cfg)
    settings = PortraitSettings(cfg.n_clusters, cfg.n_items, cfg.n_words, cfg.n_read, cfg.perplexity, cfg.seed)
    found = portraits(serve(run), users, settings)
    whom = (
        f"{len(users):,} users"
        if len(users) == n_all
        else f"{len(users):,} of {n_all:,} users, drawn by seed {cfg.seed}"
    )
    choices = run.record.choices
    summary = (
        f"{run.record.name}, profile={choices['profile']}, on {choices['data']}, seed {run.record.seed}, run "
        f"{run.record.run_id}: {whom}, with their interactions known in the test"
    )
    path, shown = Path(cfg.output).expanduser(), with_written(found.users, run, cfg.written)
    page = profiles_page(shown, found.clusters, f"Profiles of {run.record.name}", summary)
    write_atomically(path, page.encode(), OUTPUT)
    console.print(f"{whom} in {cfg.n_clusters} clusters: {path}", highlight=False, markup=False)
    own = f"run={one_id(cfg, 'run')}"
    recommend = ["recommend", own, "users=all", "output=recommendations.parquet"]
    print_next_steps(console, cfg, recommend, ["refit", own])


def check_view(cfg: DictConfig) -> None:
    """Raise an error for settings that cannot be shown, before the run is loaded.

    Raises:
        ConfigError: Naming the key.
    """
    from recsys.reports.profiles import MOST_COLOURS

    colours = f" ({MOST_COLOURS} is the number of distinguishable colours)"
    check_whole("n_users", cfg.n_users, 10)
    check_whole("n_clusters", cfg.n_clusters, 2, below=MOST_COLOURS + 1, reason=colours)
    check_whole("n_items", cfg.n_items, 1)
    check_whole("n_words", cfg.n_words, 1)
    check_whole("n_read", cfg.n_read, cfg.n_items)
    check_whole("seed", cfg.seed, 0)
    check_number("perplexity", cfg.perplexity, above=0)
    if not isinstance(cfg.written, str | None) or cfg.written == "":
        raise ConfigError(f"written is {cfg.written!r}; expected a parquet of recsys write users, or null.")
    if Path(str(cfg.output)).suffix != ".html":
        raise ConfigError(f"output is {cfg.output!r}; expected a file that ends in .html.")


def _chosen(served: Served, cfg: DictConfig) -> tuple[ServedUsers, int]:
    """The users that are shown (a random sample of `n_users`, if there are more), and the number of all users."""
    import numpy as np

    from recsys.serving.users import known_users

    everybody = known_users(served)
    if len(everybody) <= cfg.n_users:
        return everybody, len(everybody)
    rows = np.sort(np.random.default_rng(cfg.seed).choice(len(everybody), cfg.n_users, replace=False))
    return known_users(served, everybody.ids[rows.tolist()].to_list()), len(everybody)
