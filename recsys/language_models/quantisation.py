"""Loading of linear layers in int8 or in 4 bits by bitsandbytes: less memory, and other numbers than in float32."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

from recsys.schema import ConfigError

PRECISIONS = {None: "float32", 8: "int8", 4: "nf4"}  # by the number of bits of a weight


def check_bits(key: str, bits: int | None) -> None:
    """Raise an error unless `bits` is 8, 4 or None, and bitsandbytes is there if it is needed.

    Raises:
        ConfigError: If so.
    """
    if isinstance(bits, bool) or bits not in (None, 8, 4):
        raise ConfigError(f"{key} is {bits!r}; expected 8, 4 or null.")
    if bits is not None and find_spec("bitsandbytes") is None:
        raise ConfigError(f'{key}={bits} needs the package bitsandbytes: pip install "recsys-experiments[quantised]".')


def quantised(bits: int | None, device: str) -> dict[str, Any]:
    """Arguments of `from_pretrained` that load linear layers with so many bits a weight; empty for float32.

    8 bits: int8, with outlier dimensions in float16 (Dettmers et al., "LLM.int8()", NeurIPS 2022). 4 bits: NF4,
    multiplied in float32 (Dettmers et al., "QLoRA", NeurIPS 2023). With 8 bits the rest of a batch has an influence,
    since outlier dimensions are found for the whole batch.
    """
    if bits is None:
        return {}
    # It warns of kernels that are not installed when it is imported, and of a cast at each multiplication.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import torch
    from transformers import BitsAndBytesConfig

    if bits == 8:
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
    return {"quantization_config": config, "device_map": {"": device}}
