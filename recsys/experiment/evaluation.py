"""Testing a run again from its saved weights: is the record still what this code and data give?"""

from __future__ import annotations

import math

from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text

from recsys import schema
from recsys.experiment.finished import Run
from recsys.serving.ids import one_id
from recsys.support.screen import Screen
from recsys.tracking.environment import is_first_process
from recsys.tracking.memory import freed_memory_kept


def evaluate_again(run: Run) -> dict[str, float]:
    """The test's metrics of a run's saved weights, named as in its record."""
    from recsys.experiment.build import build_datamodule, build_evaluator, set_threads
    from recsys.training.interrupts import signals_passed_on
    from recsys.training.log_filters import hush
    from recsys.training.trainer import load_weights

    hush()
    set_threads(run.cfg.num_threads)
    module = run.new_module()
    load_weights(module.recommender, run.weights)
    datamodule = build_datamodule(run.cfg, run.split, module.recommender)
    with freed_memory_kept(), signals_passed_on():
        return dict(build_evaluator(run.cfg).test(module, datamodule, verbose=False)[0])


def evaluate_run(cfg: DictConfig) -> int:
    """Print a run's recorded and repeated metrics side by side; 1 if one differs by more than 1e-6, else 0."""
    import recsys

    run = recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir)
    again = evaluate_again(run)
    table = Table(title=Text(f"{run.record.name}, seed {run.record.seed} ({run.record.run_id})"), title_justify="left")
    for column in ("metric", "record", "again"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    differing = 0
    for name, value in again.items():
        recorded = run.record.metrics.get(name, math.nan)
        same = math.isclose(recorded, value, rel_tol=0, abs_tol=1e-6) or (math.isnan(recorded) and math.isnan(value))
        differing += not same
        table.add_row(
            Text(name.removeprefix(f"{schema.TEST}/")), f"{recorded:.6f}", f"{value:.6f}", style=None if same else "red"
        )
    console = Screen(quiet=not is_first_process())
    console.print(table)
    console.print(f"{differing} of {len(again)} metrics differ from the record.", highlight=False)
    return 1 if differing else 0
