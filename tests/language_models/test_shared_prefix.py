from __future__ import annotations

import pytest
import torch
from encoders.tiny_models import causal_folder

from recsys.language_models.generation import LocalGenerator, continued
from recsys.language_models.shared_prefix import left_padded, shared_cache, shared_length

BEGINNING = list(range(20, 50))
ENCODED = [[*BEGINNING, *rest] for rest in ([60, 61, 62, 63], [70], [60, 90], [80, 81, 82])]


def test_each_prompt_keeps_a_token_of_its_own():
    assert shared_length([[1, 2], [1, 2]]) == 1
    assert shared_length([[1, 2], [3]]) == 0


def test_padding_is_between_the_shared_tokens_and_the_others():
    ids, mask = left_padded([[1, 2, 3, 4], [1, 2, 5]], shared=2)
    assert ids.tolist() == [[1, 2, 3, 4], [1, 2, 0, 5]]
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 1]]


def opened(model_type: str, folder, **further) -> LocalGenerator:
    generator = LocalGenerator(str(causal_folder(model_type, folder, **further)), device="cpu")
    generator.open(folder)
    return generator


@pytest.mark.parametrize(
    ("model_type", "further", "shared"),
    [
        ("llama", {}, True),
        ("gpt2", {}, True),
        ("mistral", {"sliding_window": 64, "num_key_value_heads": 1}, True),
        ("mistral", {"sliding_window": 16, "num_key_value_heads": 1}, False),
    ],
)
def test_answers_are_those_of_each_prompt_alone(model_type, further, shared, tmp_path):
    model = opened(model_type, tmp_path, **further).model
    assert shared_cache(model, ENCODED, 6)[0] == (len(BEGINNING) if shared else 0)
    together = continued(model, ENCODED, 6, ends=[0])
    assert together == [continued(model, [row], 6, ends=[0])[0] for row in ENCODED]
    assert together == [one_by_one(model, row, 6) for row in ENCODED]


def one_by_one(model, prompt: list[int], n_tokens: int) -> list[int]:
    ids = list(prompt)
    with torch.no_grad():
        while len(ids) < len(prompt) + n_tokens and ids[-1] != 0:
            ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def test_the_beginning_is_read_once(tmp_path):
    model, read = opened("llama", tmp_path).model, []
    model.get_input_embeddings().register_forward_hook(lambda _, inputs, __: read.append(inputs[0].shape))
    continued(model, ENCODED, 1, ends=[0])
    assert read == [(1, len(BEGINNING)), (len(ENCODED), 4)]


def test_a_model_without_keys_and_values_reads_all_prompts_whole(tmp_path):
    model = opened("mamba", tmp_path).model
    assert shared_cache(model, ENCODED, 6) == (0, None)


@pytest.mark.parametrize("encoded", [ENCODED[:1], [[1, 2, 3, 4], [1, 2, 3, 5]]])
def test_a_single_prompt_or_a_short_beginning_is_not_shared(encoded, tmp_path):
    assert shared_cache(opened("llama", tmp_path).model, encoded, 6) == (0, None)
