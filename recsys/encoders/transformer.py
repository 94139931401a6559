"""Texts through a pretrained transformer: tokenised once, sorted by length, pooled over real tokens only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.base import Encoder
from recsys.encoders.execution import FLOAT32, INT8, N_COMPARED, check_execution, compiled, likeness
from recsys.encoders.learner import CATALOGUE, Pretraining
from recsys.encoders.pretraining import Continued, copied, pretrained
from recsys.encoders.settings import ModelSizes, settings
from recsys.language_models.lengths import length_batches
from recsys.language_models.loading import check_device, found_device, stand_in
from recsys.language_models.weights import MINILM, content_of, find_weights, weights_folder
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole

if TYPE_CHECKING:
    from torch import Tensor

    from recsys.encoders.network import TextNetwork

PLACE = "{text}"  # of the text in a prompt
SAMPLE = ("a text", "another text of more words")  # to compile with where there are no others


class TransformerEncoder(Encoder):
    """Vectors of a transformer's last layer, pooled over each text's tokens.

    Any model that `AutoModel` of transformers loads and that has one stack of layers. A subclass is one
    architecture, of which it can make a model from scratch.

    Args:
        weights: A folder that `save_pretrained` wrote, a hub id, or, for an architecture, "catalogue".
        pooling: "mean" over tokens, "max", "cls" for the first one or "last" for the last one; an architecture has some
            of them.
        max_length: Longer texts are cut after this many tokens.
        batch_tokens: Tokens encoded at once, padding included; vectors do not depend on it.
        normalize: Whether vectors are scaled to length 1.
        device: "cpu", "cuda" or "auto".
        precision: "float32", or "int8" for 8-bit products on the CPU, text by text: other vectors.
        compile: Whether the model is compiled first, for the same vectors but rounding.
        sizes: Of the model that "catalogue" makes; see `ModelSizes`.
        pretraining: How that model is trained; see `Pretraining`.
        prompt: A template with `{text}`, which is encoded in the text's place: an instruction to the model. A long text
            is cut so that the whole of the template is read. Vectors are pooled over the template's tokens too.
        averaged_layers: The last layers whose states are averaged before pooling; 1 for the last layer alone.

    Raises:
        ConfigError: If a value is unknown or impossible.
    """

    architecture: ClassVar[str] = "transformer"
    decoder: ClassVar[bool | None] = None  # whether a token sees only those before it; None for either
    head: ClassVar[str] = ""  # the name of the language model's layer that predicts tokens, where one can be made
    poolings: ClassVar[tuple[str, ...]] = ("mean", "max", "cls", "last")

    def __init__(
        self,
        weights: str = MINILM,
        pooling: str = "mean",
        max_length: int = 128,
        batch_tokens: int = 2048,
        normalize: bool = True,
        device: str = "auto",
        precision: str = FLOAT32,
        compile: bool = False,
        sizes: Mapping[str, int] | None = None,
        pretraining: Mapping[str, Any] | None = None,
        prompt: str | None = None,
        averaged_layers: int = 1,
    ) -> None:
        if pooling not in self.poolings:
            raise ConfigError(
                f"encoder.pooling is {pooling!r}; {self.architecture} has {', '.join(self.poolings)} "
                "(attention pooling has weights of its own, which a frozen encoder cannot learn; the first token of a "
                "decoder has seen no other, so cls is for BERT only)."
            )
        if weights == CATALOGUE and not self.head:
            raise ConfigError(
                f"encoder.weights is catalogue, and encoder={self.architecture} does not know which architecture to "
                "make. Use encoder=bert or encoder=gpt2, or give a hub id or a folder."
            )
        check_whole("encoder.max_length", max_length, 4)
        check_whole("encoder.batch_tokens", batch_tokens, 1)
        check_device(device)
        check_execution(precision, compile)
        if precision == INT8 and device.startswith("cuda"):
            raise ConfigError(f"encoder.precision=int8 runs on the CPU only, and encoder.device is {device}.")
        _check_prompt(prompt)
        check_whole("encoder.averaged_layers", averaged_layers, 1)
        if averaged_layers > 1 and compile:
            raise ConfigError("encoder.compile=true reads the last layer alone; use encoder.averaged_layers=1.")
        self.precision, self.compile = precision, compile
        self.weights, self.pooling, self.normalize = weights, pooling, normalize
        self.max_length, self.batch_tokens, self.device = max_length, batch_tokens, device
        self.prompt, self.averaged_layers = prompt, averaged_layers
        self.sizes = settings(ModelSizes, "sizes", sizes)
        self.pretraining = settings(Pretraining, "pretraining", pretraining)

    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """A tokenizer learnt from texts and a model with untrained weights, for "catalogue"."""
        raise NotImplementedError(f"{type(self).__name__} is no single architecture.")

    def recipe(self) -> dict[str, Any]:
        """All that the weights of "catalogue" depend on besides the texts."""
        made = {"sizes": asdict(self.sizes), "pretraining": self.pretraining.identity()}
        return {"encoder": self.architecture, "max_length": self.max_length, **made}

    def pretrain(
        self, texts: Sequence[str], cache_dir: Path, output: Path | None = None
    ) -> tuple[Path, dict[str, Any]]:
        """Train its language model on texts: from scratch where `weights` is "catalogue", else on from those weights.

        Args:
            texts: To learn from, and to hold some out of.
            cache_dir: Where the result is kept by content, and found again.
            output: A folder to copy it to; its content is replaced.

        Returns:
            The folder, as `save_pretrained` writes it, and the report of how that went.
        """
        learner = self if self.weights == CATALOGUE else Continued(self, weights_folder(self.weights, cache_dir))
        folder, report = pretrained(learner, texts, cache_dir)
        return (folder if output is None else copied(folder, output)), report

    def identity(self) -> dict[str, Any]:
        pooled = {"pooling": self.pooling, "max_length": self.max_length, "normalize": self.normalize}
        identity = {"encoder": self.architecture, "weights": self.weights, **pooled, "precision": self.precision}
        if self.compile:
            identity["compile"] = True  # which rounds otherwise
        if self.prompt is not None:
            identity["prompt"] = self.prompt
        if self.averaged_layers > 1:
            identity["averaged_layers"] = self.averaged_layers
        if self.weights == CATALOGUE:
            return {**identity, **self.recipe(), "fitted": True}
        return {**identity, **content_of(self.weights)}

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:
        from recsys.language_models.loading import load

        self.pretraining_report: dict[str, Any] = {}
        if self.weights == CATALOGUE:
            folder, self.pretraining_report = pretrained(self, texts, cache_dir)
        else:
            folder = weights_folder(self.weights, cache_dir)
        self.tokenizer, model = load(folder, self._reads_as_decoder(), self.max_length)
        self.model = model.to("cpu" if self.precision == INT8 else found_device(self.device))
        n_layers = self.model.config.num_hidden_layers
        if self.averaged_layers > n_layers:
            raise ConfigError(
                f"encoder.averaged_layers is {self.averaged_layers}, but the encoder has {n_layers} layers."
            )
        self.runner = self._runner(texts)

    def _runner(self, texts: Sequence[str]) -> Any:
        """What is called in the model's place."""
        if self.precision == INT8:
            from recsys.encoders.int8 import quantized

            return quantized(self.model)
        if not self.compile:
            return self.model
        from recsys.language_models.lengths import padded

        # Sizes of 1 are compiled apart.
        tokens = [ids for ids in self._tokens([*texts[:64], *SAMPLE]) if len(ids) > 1][:8]
        return compiled(self.model, *(tensor.to(self.model.device) for tensor in padded(tokens)))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        # Text by text: what differs in the last bit between batches may be rounded to another of so few levels.
        return self._encode(texts, self.runner, 1 if self.precision == INT8 else self.batch_tokens)

    def _encode(self, texts: Sequence[str], runner: Any, batch_tokens: int) -> NDArray[np.float32]:
        import torch

        from recsys.language_models.progress_bar import track

        tokens = self._tokens(texts)
        vectors = np.empty((len(texts), self.model.config.hidden_size), dtype=np.float32)
        batches = length_batches(np.array([len(ids) for ids in tokens], dtype=np.int64), batch_tokens)
        with torch.inference_mode():
            for rows in track(batches, f"encoding with {self.architecture}"):
                vectors[rows] = self._forward([tokens[row] for row in rows], runner).cpu().numpy()
        return vectors

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        read = [self._prompted(text) for text in texts]
        found = self.tokenizer(read, truncation=False, verbose=False)["input_ids"] if texts else []
        lengths = np.array([len(ids) for ids in found], dtype=np.int64)
        return {
            "n_cut": int((lengths > self.max_length).sum()),
            "tokens_mean": float(lengths.mean()) if len(lengths) else 0.0,
            "tokens_max": int(lengths.max(initial=0)),
            **({"pretraining": self.pretraining_report} if self.pretraining_report else {}),
            **({"likeness": self._likeness(texts)} if self.precision == INT8 and len(texts) > 1 else {}),
        }

    def _likeness(self, texts: Sequence[str]) -> dict[str, float]:
        """To the vectors of float32, of a sample of texts."""
        sample = [texts[int(row)] for row in np.linspace(0, len(texts) - 1, min(len(texts), N_COMPARED))]
        reference = self._encode(sample, self.model, self.batch_tokens)
        return {"n_compared": len(sample), **likeness(self.encode(sample), reference)}

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        read = [self._prompted(text) for text in self._cut(texts)]
        tokens = self.tokenizer(read, truncation=True, max_length=self.max_length)["input_ids"]
        # A decoder's tokenizer gives nothing for an empty text: the end-of-text token represents it.
        return [ids or [stand_in(self.tokenizer)] for ids in tokens]

    def _prompted(self, text: str) -> str:
        return text if self.prompt is None else self.prompt.replace(PLACE, text)

    def _cut(self, texts: Sequence[str]) -> Sequence[str]:
        """Texts so short that the template around them is read to its end."""
        if self.prompt is None:
            return texts
        room = self.max_length - len(self.tokenizer(self._prompted(""))["input_ids"])
        if room < 1:
            raise ConfigError(
                f"encoder.prompt has {self.max_length - room} tokens, which leaves no room for a text within "
                f"encoder.max_length={self.max_length}; raise that, or shorten the prompt."
            )
        options = {"add_special_tokens": False, "truncation": True, "max_length": room}
        ends = self.tokenizer(list(texts), return_offsets_mapping=True, **options)["offset_mapping"]
        return [text[: spans[-1][1]] if spans else text for text, spans in zip(texts, ends, strict=True)]

    def _reads_as_decoder(self) -> bool | None:
        """What the model must be for the pooling to make sense: a decoder (True), none (False), or either (None)."""
        return self.decoder if self.decoder is not None else {"cls": False, "last": True}.get(self.pooling)

    def n_layers(self) -> int | None:
        if self.weights == CATALOGUE:
            return self.sizes.n_layers
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(find_weights(self.weights), local_files_only=True)
        except (OSError, ValueError, KeyError):
            return None  # `fit` reports the fault
        return getattr(config, "num_hidden_layers", None)

    def network(self, texts: Sequence[str]) -> TextNetwork:
        from recsys.encoders.network import TextNetwork

        if self.averaged_layers > 1:
            raise ConfigError("finetune trains the last layer's states alone; use encoder.averaged_layers=1.")
        return TextNetwork(self.model, self._tokens(texts), self._pool, self.batch_tokens).to(self.model.device)

    def _forward(self, tokens: list[list[int]], runner: Any) -> Tensor:
        from recsys.language_models.lengths import padded

        ids, mask = (tensor.to(self.model.device) for tensor in padded(tokens))
        if self.averaged_layers == 1:
            return self._pool(runner(input_ids=ids, attention_mask=mask).last_hidden_state, mask)
        states = runner(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        return self._pool(sum(states[-self.averaged_layers :]) / self.averaged_layers, mask)

    def _pool(self, states: Tensor, mask: Tensor) -> Tensor:
        import torch

        from recsys.encoders.pooling import POOLINGS

        pooled = POOLINGS[self.pooling](states, mask)
        return torch.nn.functional.normalize(pooled, dim=1) if self.normalize else pooled


def _check_prompt(prompt: str | None) -> None:
    if prompt is not None and (not isinstance(prompt, str) or prompt.count(PLACE) != 1):
        raise ConfigError(f"encoder.prompt is {prompt!r}; expected null, or a text with {PLACE} once in it.")
