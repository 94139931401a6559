"""Vectors of texts from a pretrained transformer, in batches of similar length, pooled over real tokens only."""

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
SAMPLE = ("a text", "another text of more words")  # to compile with if there are no other texts


class TransformerEncoder(Encoder):
    """Vectors of a transformer's last layer, pooled over each text's tokens.

    The model can be any that `AutoModel` of transformers loads and that has one stack of layers. A subclass is for one
    architecture, and can train a model of it from scratch.

    Args:
        weights: A folder of `save_pretrained`, a hub id, or "catalogue": pretrained on the train items' texts, for
            encoder=bert and encoder=gpt2.
        pooling: "mean" over tokens, "max", "cls" for the first one or "last" for the last one; an architecture has some
            of them.
        max_length: Longer texts are truncated to this many tokens.
        batch_tokens: Tokens of a batch, including padding; vectors do not depend on it.
        normalize: Whether vectors are scaled to length 1.
        device: "cpu", "cuda" or "auto".
        precision: "float32", or "int8" for int8 products on the CPU, one text at a time; it changes the vectors.
        compile: Whether the model is compiled first; it changes the vectors by rounding only.
        sizes: Sizes of the model for "catalogue"; see `ModelSizes`.
        pretraining: Training of the model for "catalogue"; see `Pretraining`.
        prompt: A template with `{text}`, such as an instruction, which is encoded instead of the text. A long text is
            truncated so that the whole template is read. Vectors are pooled over the template's tokens too.
        averaged_layers: Number of last layers whose states are averaged before pooling; 1 for the last layer alone.

    Raises:
        ConfigError: If a value is unknown or impossible.
    """

    architecture: ClassVar[str] = "transformer"
    decoder: ClassVar[bool | None] = None  # whether a token attends only to those before it; None for either
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
                "(attention pooling has weights of its own, which a frozen encoder cannot learn; a decoder's first "
                "token attends to no other, so cls is for BERT only)."
            )
        if weights == CATALOGUE and not self.head:
            raise ConfigError(
                f"encoder.weights=catalogue trains a model from scratch, and encoder={self.architecture} has no "
                "architecture for it. Use encoder=bert or encoder=gpt2, or give a hub id or a folder."
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
        """Everything that the weights of "catalogue" depend on besides the texts."""
        made = {"sizes": asdict(self.sizes), "pretraining": self.pretraining.identity()}
        return {"encoder": self.architecture, "max_length": self.max_length, **made}

    def pretrain(
        self, texts: Sequence[str], cache_dir: Path, output: Path | None = None
    ) -> tuple[Path, dict[str, Any]]:
        """Train the language model on texts: from scratch if `weights` is "catalogue", else from those weights.

        Args:
            texts: Texts to train on; some are held out.
            cache_dir: Folder where results are cached by content.
            output: A folder to copy the result to; its content is replaced.

        Returns:
            The folder, as `save_pretrained` writes it, and the training report.

        Raises:
            ConfigError: If there are fewer than two distinct texts, or no such weights.
        """
        learner = self if self.weights == CATALOGUE else Continued(self, weights_folder(self.weights, cache_dir))
        folder, report = pretrained(learner, texts, cache_dir)
        return (folder if output is None else copied(folder, output)), report

    def identity(self) -> dict[str, Any]:
        pooled = {"pooling": self.pooling, "max_length": self.max_length, "normalize": self.normalize}
        identity = {"encoder": self.architecture, "weights": self.weights, **pooled, "precision": self.precision}
        if self.compile:
            identity["compile"] = True  # rounding differs
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
        """The module that encodes: the model, or its compiled or quantised form."""
        if self.precision == INT8:
            from recsys.encoders.int8 import quantized

            return quantized(self.model)
        if not self.compile:
            return self.model
        from recsys.language_models.lengths import padded

        # torch.compile treats sizes of 1 as constants.
        tokens = [ids for ids in self._tokens([*texts[:64], *SAMPLE]) if len(ids) > 1][:8]
        return compiled(self.model, *(tensor.to(self.model.device) for tensor in padded(tokens)))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        # One text at a time: int8 rounding can amplify differences in the last bit between batches.
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
        unknown, special = self.tokenizer.unk_token_id, (self.tokenizer.eos_token_id, self.tokenizer.bos_token_id)
        n_unknown = 0 if unknown in special else sum(unknown in ids for ids in found)
        return {
            **({"n_with_unknown_word": n_unknown} if n_unknown else {}),
            "n_cut": int((lengths > self.max_length).sum()),
            "tokens_mean": float(lengths.mean()) if len(lengths) else 0.0,
            "tokens_max": int(lengths.max(initial=0)),
            **({"pretraining": self.pretraining_report} if self.pretraining_report else {}),
            **({"likeness": self._likeness(texts)} if self.precision == INT8 and len(texts) > 1 else {}),
        }

    def _likeness(self, texts: Sequence[str]) -> dict[str, float]:
        """Similarity to the vectors of float32, for a sample of texts."""
        sample = [texts[int(row)] for row in np.linspace(0, len(texts) - 1, min(len(texts), N_COMPARED))]
        reference = self._encode(sample, self.model, self.batch_tokens)
        return {"n_compared": len(sample), **likeness(self.encode(sample), reference)}

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        read = [self._prompted(text) for text in self._cut(texts)]
        tokens = self.tokenizer(read, truncation=True, max_length=self.max_length)["input_ids"]
        # A decoder's tokenizer has no tokens for an empty text: the end-of-text token represents it.
        return [ids or [stand_in(self.tokenizer)] for ids in tokens]

    def _prompted(self, text: str) -> str:
        return text if self.prompt is None else self.prompt.replace(PLACE, text)

    def _cut(self, texts: Sequence[str]) -> Sequence[str]:
        """Texts truncated so that they and the template fit `max_length`."""
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
        """Whether the architecture or pooling needs a decoder (True), an encoder (False), or either (None)."""
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
