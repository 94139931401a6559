"""The whole transformer is trained."""

from __future__ import annotations

from recsys.encoders.network import TextNetwork
from recsys.finetuning.encoder import EncoderFineTuning


class Full(EncoderFineTuning):
    """Every weight of the transformer is trained; arguments are those of `EncoderFineTuning`."""

    def choose(self, network: TextNetwork) -> TextNetwork:
        return network
