"""Filters for Lightning's tips and for those of its warnings that do not apply here."""

from __future__ import annotations

import logging
import warnings

NO_NEWS = (
    r".*You have overridden `transfer_batch_to_device`.*",  # intended: batches are dataclasses with `to`
    r".*is smaller than the logging interval.*",  # the loss is logged once an epoch
    r".*does not have many workers.*",  # batches are slices of memory
    r".*Checkpoint directory .* exists and is not empty.*",  # that of the interrupted run that continues
    r".*use `self.log\('(val|test)/.*sync_dist=True.*",  # metrics gather the queries of all processes themselves
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",  # Lightning's own use of torch
)


def hush() -> None:
    """Hide Lightning's tips and the warnings in NO_NEWS."""
    for name in ("pytorch_lightning", "lightning_fabric", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in NO_NEWS:
        warnings.filterwarnings("ignore", message)
