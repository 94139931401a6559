"""A Llama of a few thousand weights as llama.cpp writes it, in four bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

N_LAYERS, DIM, HIDDEN, N_HEADS, N_TOKENS = 1, 32, 64, 2, 272


def gguf_file(path: Path) -> dict[str, np.ndarray]:
    """Write the file; the matrices that its four bits stand for, by their names in it."""
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(DIM)
    writer.add_block_count(N_LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(N_TOKENS)
    _add_tokenizer(writer)
    rng, whole = np.random.default_rng(0), {}
    for name, shape in _shapes().items():
        matrix = rng.standard_normal(shape).astype(np.float32)
        if len(shape) == 1:
            writer.add_tensor(name, matrix)
            continue
        packed = quants.quantize(matrix, GGMLQuantizationType.Q4_1)
        whole[name] = quants.dequantize(packed, GGMLQuantizationType.Q4_1)
        writer.add_tensor(name, packed, raw_dtype=GGMLQuantizationType.Q4_1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return whole


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (N_TOKENS, DIM), "output_norm.weight": (DIM,)}
    for layer in range(N_LAYERS):
        block = {f"attn_{part}": (DIM, DIM) for part in ("q", "k", "v", "output")}
        block |= {"ffn_gate": (HIDDEN, DIM), "ffn_up": (HIDDEN, DIM), "ffn_down": (DIM, HIDDEN)}
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in block.items()}
        shapes |= {f"blk.{layer}.{name}.weight": (DIM,) for name in ("attn_norm", "ffn_norm")}
    return shapes


def _add_tokenizer(writer) -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    merges = ["t h", "th e"]
    tokens = ["<unk>", "<s>", "</s>", "<|endoftext|>", *letters, "th", "the"]
    tokens += [f"<{number}>" for number in range(N_TOKENS - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 4 + [1] * (N_TOKENS - 4))
    writer.add_token_merges(merges)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
