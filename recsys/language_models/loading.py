"""Loading of tokenizer and model from a folder, without output, randomness or missing weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys.schema import ConfigError

UNUSED = "pooler."  # a head upon the last layer, which pooling does not ask
NONE = "-"  # in no weight's name
ENCODER = "encoder"


def load(
    folder: Path,
    decoder: bool | None,
    max_length: int,
    head: str = "",
    group: str = ENCODER,
    complete: bool = False,
    **further: Any,
) -> tuple[Any, Any]:
    """The tokenizer and the frozen model that `save_pretrained` wrote; in float32 unless `further` says otherwise.

    Args:
        folder: Has a config, a tokenizer and weights as safetensors.
        decoder: Whether the model must read from left to right only, or in both directions; None for either.
        max_length: Tokens that the model must be able to read.
        head: The name of the layer that predicts tokens, for the language model with it: untrained where the folder has
            none. Empty for the model alone.
        group: The configuration's node that asks for it, for messages.
        complete: Whether that layer has to be there too, trained.
        further: Arguments of `from_pretrained`, such as a quantisation.

    Raises:
        ConfigError: If files are missing, damaged or another kind of model's, or the model reads fewer tokens.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    options: dict[str, Any] = {"use_safetensors": True, "output_loading_info": True, "local_files_only": True}
    options |= {"dtype": torch.float32, **further}
    # Weights that a file lacks are drawn at random: the run's own randomness must not depend on that.
    with quiet(), torch.random.fork_rng():
        try:
            check_kind(folder, decoder, group)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, info = _auto_class(decoder, head).from_pretrained(folder, **options)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ConfigError(
                f"{group}.weights: {folder} cannot be loaded ({error}); expected config, tokenizer and weights as "
                "save_pretrained of transformers writes them. If they are a finished pretraining, delete the folder."
            ) from error
    _check_complete(folder, tokenizer, model, info, NONE if complete or not head else head, group)
    longest = min(tokenizer.model_max_length, _positions(model) or max_length)
    if max_length > longest:
        raise ConfigError(f"{group}.max_length is {max_length}; the model in {folder} reads at most {longest} tokens.")
    return tokenizer, model.eval()


def _positions(model: Any) -> int | None:
    """How many tokens a model has positions for; None if it has no table of positions.

    RoBERTa and its kin begin to count after the index of padding: 514 positions are enough for 512 tokens.
    """
    n = getattr(model.config, "max_position_embeddings", None)
    tables = (part for name, part in model.named_modules() if name.endswith("position_embeddings"))
    unused = next((table.padding_idx + 1 for table in tables if getattr(table, "padding_idx", None) is not None), 0)
    return None if n is None else n - unused


def _auto_class(decoder: bool | None, head: str) -> Any:
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

    if not head:
        return AutoModel
    return AutoModelForCausalLM if decoder else AutoModelForMaskedLM


@contextmanager
def quiet() -> Iterator[None]:
    """Hide transformers' progress bars and load reports; earlier settings are restored afterwards."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def check_kind(folder: Path, decoder: bool | None, group: str = ENCODER) -> None:
    """Raise an error for a bidirectional model where a causal one is needed, and the reverse.

    Raises:
        ConfigError: If so.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    model_type = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        raise ConfigError(
            f"{group}.weights: {folder} is {model_type}, an encoder-decoder model; expected a model with one stack of "
            "layers, such as BERT, MiniLM, GPT-2 or SmolLM."
        )
    is_decoder = model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if decoder is not None and is_decoder != decoder:
        kind = "decoder, which belongs to encoder=gpt2" if is_decoder else "model that belongs to encoder=bert"
        if group != ENCODER:
            raise ConfigError(
                f"{group}.weights: {folder} is {model_type}, which reads in both directions; expected a causal "
                "language model, which reads from left to right only, such as GPT-2, Llama, Qwen or SmolLM."
            )
        raise ConfigError(
            f"encoder.weights: {folder} is {model_type}, a {kind}. Choose that encoder, or encoder=transformer with "
            f"encoder.pooling=mean, max or {'last' if is_decoder else 'cls'}."
        )


def _check_complete(folder: Path, tokenizer: Any, model: Any, info: dict[str, Any], head: str, group: str) -> None:
    missing = sorted(key for key in info["missing_keys"] if UNUSED not in key and not key.startswith(head))
    if missing:
        raise ConfigError(f"{group}.weights: {folder} lacks {len(missing)} weights of its model, such as {missing[0]}.")
    if len(tokenizer) > model.config.vocab_size or len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise ConfigError(
            f"{group}.weights: {folder} has a tokenizer of {len(tokenizer)} tokens for a model of "
            f"{model.config.vocab_size}; expected the model's own. Write it there with the tokenizer's save_pretrained."
        )


def stand_in(tokenizer: Any) -> int:
    """The token for an empty text and for the beginning of a text: the end-of-text token."""
    known = (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id)
    return next((token for token in known if token is not None), 0)


def check_device(name: str, group: str = ENCODER) -> None:
    """Raise an error for an unknown device.

    Raises:
        ConfigError: If so.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ConfigError(f"{group}.device is {name!r}; expected cpu, cuda, cuda:0 or auto.")


def found_device(name: str, group: str = ENCODER) -> str:
    """The device of a name, where `auto` is a GPU if there is one.

    Raises:
        ConfigError: If there is no such GPU.
    """
    import torch

    available = torch.cuda.is_available()
    if name.startswith("cuda") and not available:
        raise ConfigError(f"{group}.device is {name}, but there is no GPU that torch can use; use cpu or auto.")
    return name if name != "auto" else ("cuda" if available else "cpu")
