"""Lightning's hints that are no news here, kept off the screen; its warnings stay."""

from __future__ import annotations

import logging
import warnings

NO_NEWS = (
    r".*You have overridden `transfer_batch_to_device`.*",  # meant: batches are dataclasses that move themselves
    r".*is smaller than the logging interval.*",  # the loss is logged once an epoch
    r".*does not have many workers.*",  # batches are slices of memory
    r".*Checkpoint directory .* exists and is not empty.*",  # that of the interrupted run that continues
    r".*use `self.log\('(val|test)/.*sync_dist=True.*",  # metrics gather the queries of all processes themselves
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",  # Lightning's own use of torch
)


def hush() -> None:
    """Keep Lightning's tips and the warnings of NO_NEWS off the screen."""
    for name in ("pytorch_lightning", "lightning_fabric", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in NO_NEWS:
        warnings.filterwarnings("ignore", message)
