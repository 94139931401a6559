"""List, show, diff, reproduce, delete or export finished runs.

The key `action` chooses the action; the default lists all runs.
"""

from __future__ import annotations

from collections.abc import Callable

from omegaconf import DictConfig
from rich.console import Console

from recsys.commands.next_steps import own_overrides, print_header, print_next_steps
from recsys.runs.choosing import chosen_runs, one_run, store_of
from recsys.runs.deletion import delete_runs
from recsys.runs.difference import diff_runs
from recsys.runs.export_table import export_runs
from recsys.runs.listing import list_runs, sort_runs
from recsys.runs.reproduction import reproduce_run
from recsys.runs.showing import show_run
from recsys.schema import ConfigError
from recsys.support.near_names import nearest
from recsys.support.screen import Screen

EXAMPLES = (
    "recsys runs sort=-test/ndcg@10",
    "recsys runs action=diff run=b428 other=ba4e",
)

ACTIONS: dict[str, Callable[[DictConfig, Console], int]] = {
    "list": list_runs,
    "show": show_run,
    "diff": diff_runs,
    "reproduce": reproduce_run,
    "delete": delete_runs,
    "export": export_runs,
}


def run(cfg: DictConfig, console: Console | None = None) -> int:
    """Do the configured `action`; returns the exit status.

    Raises:
        ConfigError: If the action is unknown, or one of its keys is missing.
    """
    action = ACTIONS.get(cfg.action)
    if action is None:
        raise ConfigError(
            f"action is {cfg.action!r}; expected one of {', '.join(ACTIONS)}{nearest(cfg.action, ACTIONS) or '.'}"
        )
    console = console or Screen()
    n = len(store_of(cfg).ids())
    print_header(console, f"{n} {'run' if n == 1 else 'runs'} in {cfg.runs_dir}")
    status = action(cfg, console)
    print_next_steps(console, cfg, *_next_steps(cfg))
    return status


def _next_steps(cfg: DictConfig) -> list[list[str]]:
    """Commands that usually follow an action."""
    if cfg.action in ("show", "reproduce"):
        found = one_run(cfg, "run")
        own = f"run={found.run_id}"
        if not found.is_finished:
            return [["runs"], ["runs", "action=delete", f"select=[{found.run_id}]"]]
        return [["evaluate", own], ["recommend", own, "users=all", "output=recommendations.parquet"]]
    if cfg.action == "diff":
        pair = [one_run(cfg, key) for key in ("run", "other")]
        ids = [record.run_id for record in pair]
        compare = [["compare", f"select=[{','.join(ids)}]"]] if pair[0].protocol == pair[1].protocol else []
        return [*compare, ["runs", "action=show", f"run={ids[0]}"]]
    if cfg.action == "delete":
        return [["runs"]] if cfg.confirm else [["runs", *own_overrides(cfg), "confirm=true"], ["runs"]]
    runs = chosen_runs(cfg) if store_of(cfg).ids() else []
    if not runs:
        return [["train"]]
    show = ["runs", "action=show", f"run={sort_runs(runs, cfg.sort)[0].run_id}"]
    return [show, ["compare", *([] if cfg.tag is None else [f"tag={cfg.tag}"])]]
