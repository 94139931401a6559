"""Evaluation of a run from its saved weights, to check whether its record can be reproduced."""

from __future__ import annotations

from recsys.experiment.finished import Run
from recsys.tracking.memory import freed_memory_kept


def evaluate_again(run: Run) -> dict[str, float]:
    """The test metrics of a run's saved weights, named as in its record.

    Raises:
        ConfigError: If the run has no weights or no test, or its data has changed.
        RecsysError: If the weights are damaged.
    """
    from recsys import schema
    from recsys.experiment.build import build_datamodule, build_evaluator, set_threads
    from recsys.experiment.outside import measured
    from recsys.training.interrupts import signals_passed_on
    from recsys.training.log_filters import hush
    from recsys.training.trainer import load_weights

    run.check_has_test()
    hush()
    set_threads(run.cfg.num_threads)
    module = run.new_module()
    load_weights(module.recommender, run.weights)
    datamodule = build_datamodule(run.cfg, run.split, module.recommender)
    with freed_memory_kept(), signals_passed_on():
        metrics = dict(build_evaluator(run.cfg).test(module, datamodule, verbose=False)[0])
    return measured(run.cfg, module, metrics, f"{schema.TEST}/")
