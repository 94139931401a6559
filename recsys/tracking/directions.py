"""The direction of a metric: whether higher values are better, as the metric declares."""

from __future__ import annotations

from recsys.config.trust import component
from recsys.schema import LOSS, RecsysError
from recsys.tracking.record import Record


def higher_is_better(record: Record, metric: str) -> bool:
    """Whether higher values of a metric of a run are better.

    It is read from the record, or for an older record from the metric's class in its configuration.

    Args:
        record: Record of a run that has the metric.
        metric: Name with or without its stage, as in "ndcg@10" or "val/ndcg@10".

    Raises:
        RecsysError: If neither the record nor the class declares it.
    """
    if metric == LOSS:
        return False
    name = metric.rsplit("/", 1)[-1]
    declared = record.directions.get(name)
    if declared is None:
        declared = _of_class(record, name.partition("@")[0])
    if not isinstance(declared, bool):
        raise RecsysError(
            f"run {record.run_id} does not record whether higher {name} is better, and neither does the metric's "
            "class. Make the run again with rerun=true."
        )
    return declared


def _of_class(record: Record, name: str) -> bool | None:
    """The direction that the class in a record's configuration declares; None if it is missing or not trusted."""
    try:
        target = str(record.config["metrics"]["metrics"][name]["_target_"])
    except (KeyError, TypeError):
        return None
    return getattr(component("metrics", target), "higher_is_better", None)
