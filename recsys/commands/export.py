"""Write item and user vectors, a search index and the user tower.

The products of the vectors are the model's scores, so that other programs can serve it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys export run=<id> output=exported users=all",
    "recsys export run=<id> tower=onnx",
)


def run(cfg: DictConfig) -> None:
    """Write the vectors of a run's items and users."""
    from recsys.serving.vector_export import export_command

    export_command(cfg)
