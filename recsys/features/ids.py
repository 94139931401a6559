"""Item features from a learnt ID embedding alone, optionally initialised with principal components of the texts."""

from __future__ import annotations

import torch

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import TextVectors
from recsys.layers.post_processing import principal_components
from recsys.schema import ConfigError, ModelContext

INITIALISATIONS = RANDOM, TEXT = "random", "text"


class IdFeatures(ItemFeatures):
    """A learnt ID embedding for each item.

    With `init=text` it is initialised with the first principal components of the encoder's vectors, scaled together to
    the standard deviation `init_std` (Harte et al., "Leveraging Large Language Models for Sequential Recommendation",
    RecSys 2023: LLM2BERT4Rec). The vectors have no other use. If they have fewer components than `dim`, the other
    dimensions are initialised at random.

    Args:
        context: Sizes of the data; `context.dim` is the width of the vectors.
        text: Text vectors by item.
        init: `random`, or `text`.
        init_std: Standard deviation of the initial embedding.

    Raises:
        ConfigError: If `init` is unknown, if `init=text` has no text vectors, if `init=random` has some, or if the
            encoder is fine-tuned.
    """

    def __init__(self, context: ModelContext, text: TextVectors, init: str = TEXT, init_std: float = 0.1) -> None:
        if init not in INITIALISATIONS:
            raise ConfigError(f"features.init is {init!r}; expected one of {', '.join(INITIALISATIONS)}.")
        super().__init__(context, TextVectors(text.vectors[:, :0]), ids=True, init_std=init_std)
        _check_text(text, init)
        if init == TEXT:
            self._start_from(text, context, init_std)

    @torch.no_grad()
    def _start_from(self, text: TextVectors, context: ModelContext, init_std: float) -> None:
        assert self.ids is not None
        found = principal_components(text.vectors, context.warm_items, context.dim)
        spread = found[context.warm_items].square().mean().sqrt()
        if spread > 0:
            self.ids.weight[:, : found.shape[1]] = (found * (init_std / spread)).float()


def _check_text(text: TextVectors, init: str) -> None:
    if init == RANDOM and text.dim > 0:
        raise ConfigError("features.init=random ignores the encoder: use encoder=none, or features=hybrid for both.")
    if init == TEXT and text.dim == 0:
        raise ConfigError("features.init=text needs an encoder, as in encoder=bert; features.init=random needs none.")
    if text.parameter_groups():
        raise ConfigError("features=ids reads the encoder's vectors once: use finetune=frozen, or features=hybrid.")
