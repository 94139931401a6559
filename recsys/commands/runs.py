"""List, show, diff, reproduce, delete or export finished runs.

The key `action` chooses the action; the default lists all runs.
"""

from __future__ import annotations

from collections.abc import Callable

from omegaconf import DictConfig
from rich.console import Console

from recsys.runs.deletion import delete_runs
from recsys.runs.difference import diff_runs
from recsys.runs.export_table import export_runs
from recsys.runs.listing import list_runs
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
    return action(cfg, console or Screen())
