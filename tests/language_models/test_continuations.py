from __future__ import annotations

import pytest
import torch
from encoders.tiny_models import causal_folder

from recsys.language_models.causal import CausalLM
from recsys.language_models.continuations import mean_log_likelihood, score_continuations
from recsys.language_models.token_lists import Tokens
from recsys.schema import ConfigError

PREFIXES = [[20, 21, 22, 23, 24, 25, 26, 27], [30, 31, 32], [40, 41, 42, 43, 44]]
OWNERS = [0, 0, 1, 2, 1]
CONTINUATIONS = [[50], [51, 52, 53], [54, 55], [56], [57, 58, 59]]


def padded(rows: list[list[int]]) -> Tokens:
    length = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
    return Tokens(ids, torch.tensor([len(row) for row in rows]))


def model_of(model_type: str, folder, **further):
    model = CausalLM(str(causal_folder(model_type, folder, **further)), device="cpu")
    model.open(folder)
    return model.model


def scored(model, batch_tokens: int) -> torch.Tensor:
    continuations = padded(CONTINUATIONS)
    return score_continuations(
        model, padded(PREFIXES), torch.tensor(OWNERS), continuations, mean_log_likelihood, batch_tokens
    )


@pytest.mark.parametrize(
    ("model_type", "further"),
    [("llama", {}), ("gpt2", {}), ("mistral", {"sliding_window": 4, "num_key_value_heads": 1})],
)
@pytest.mark.parametrize("batch_tokens", [1, 20, 1000])
def test_a_score_is_the_mean_log_probability_of_the_tokens(model_type, further, batch_tokens, tmp_path):
    model = model_of(model_type, tmp_path, **further)
    expected = []
    for owner, continuation in zip(OWNERS, CONTINUATIONS, strict=True):
        ids = torch.tensor([[*PREFIXES[owner], *continuation]])
        with torch.no_grad():
            of_tokens = model(ids, use_cache=False).logits[0].log_softmax(dim=1)
        n = len(PREFIXES[owner])
        expected.append(
            sum(float(of_tokens[n + k - 1, token]) for k, token in enumerate(continuation)) / len(continuation)
        )
    torch.testing.assert_close(scored(model, batch_tokens), torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_a_model_without_attention_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"MambaForCausalLM keeps no keys and values"):
        scored(model_of("mamba", tmp_path), 1000)
