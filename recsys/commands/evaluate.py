"""Test a run again from its saved weights.

Every metric is compared with the record. The exit status is 1 if one differs.
"""

from __future__ import annotations

import math

from omegaconf import DictConfig

from recsys import schema
from recsys.commands.next_steps import print_header, print_next_steps, run_line
from recsys.experiment.evaluation import evaluate_again
from recsys.support.ids import one_id
from recsys.support.screen import Screen
from recsys.support.text_tables import TextTable
from recsys.tracking.environment import is_first_process

EXAMPLES = (
    "recsys evaluate run=<id>",
    "recsys evaluate run=<id> trust=[my_package]",
)


def run(cfg: DictConfig) -> int:
    """Print a run's recorded and repeated metrics; returns 1 if one differs by more than 1e-6, else 0.

    Raises:
        ConfigError: If there is no such finished run, or its record names a class that is not trusted.
    """
    import recsys

    run = recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir)
    console = Screen(quiet=not is_first_process())
    print_header(console, run_line(run.record))
    again = evaluate_again(run)
    table = TextTable(["metric", "record", "again"])
    differing = 0
    for name, value in again.items():
        recorded = run.record.metrics.get(name, math.nan)
        same = math.isclose(recorded, value, rel_tol=0, abs_tol=1e-6) or (math.isnan(recorded) and math.isnan(value))
        differing += not same
        shown = name.removeprefix(f"{schema.TEST}/"), f"{recorded:.6f}", f"{value:.6f}"
        table.add(*shown, style="" if same else "red")
    console.print(table)
    console.print(f"{differing} of {len(again)} metrics differ from the record.", highlight=False)
    own = f"run={one_id(cfg, 'run')}"
    first = ["runs", "action=reproduce", f"run={run.record.run_id}"] if differing else ["refit", own]
    print_next_steps(console, cfg, first, ["recommend", own, "users=all", "output=recommendations.parquet"])
    return 1 if differing else 0
