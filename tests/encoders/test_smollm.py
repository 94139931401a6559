from __future__ import annotations

import numpy as np
import pytest
import torch
from encoders.tiny_models import TEXTS, auto_folder

from recsys.encoders.smollm import SmolLMEncoder
from recsys.schema import ConfigError
from recsys.testing.encoder_contract import LONG, MIXED, EncoderContract

PROMPT = "red {text} in old"


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> str:
    return str(auto_folder("llama")(tmp_path_factory.mktemp("llama")))


class TestSmolLMOfAFolder(EncoderContract):
    cuts = True

    def make(self, folder):
        weights = folder / "llama"
        return SmolLMEncoder(str(weights if weights.exists() else auto_folder("llama")(weights)), "last", max_length=24)


class TestPromptedSmolLM(TestSmolLMOfAFolder):
    def make(self, folder):
        encoder = super().make(folder)
        encoder.prompt = PROMPT
        return encoder


@pytest.mark.parametrize(("pooling", "pool"), [("last", lambda s: s[-1]), ("mean", lambda s: s.mean(0))])
def test_a_prompt_stands_around_the_text_and_is_pooled_with_it(llama, tmp_path, pooling, pool):
    encoder = SmolLMEncoder(llama, pooling, max_length=24, normalize=False, prompt=PROMPT)
    encoder.fit(TEXTS, tmp_path)
    short = ["", "love", TEXTS[0]]
    inputs = [encoder.tokenizer(f"red {text} in old", return_tensors="pt") for text in short]
    with torch.no_grad():
        expected = [pool(encoder.model(**one).last_hidden_state[0]).numpy() for one in inputs]
    np.testing.assert_allclose(encoder.encode(short), np.stack(expected), atol=1e-5)


def test_a_long_text_is_cut_and_its_prompt_is_not(llama, tmp_path):
    encoder = SmolLMEncoder(llama, max_length=24, prompt=PROMPT)
    encoder.fit(TEXTS, tmp_path)
    (whole,), (long,) = encoder._tokens(["moon"]), encoder._tokens([LONG])
    before, after = whole.index(encoder.tokenizer.convert_tokens_to_ids("moon")), len(whole)
    assert len(long) == 24
    assert (long[:before], long[before - after + 1 :]) == (whole[:before], whole[before + 1 :])
    assert encoder.coverage(MIXED)["n_cut"] == 1


def test_the_prompt_is_part_of_what_vectors_depend_on(llama):
    plain, prompted = SmolLMEncoder(llama).identity(), SmolLMEncoder(llama, prompt=PROMPT).identity()
    assert prompted == {**plain, "prompt": PROMPT}


@pytest.mark.parametrize("prompt", ["", "A film:", "{text} or {text}", 3])
def test_a_prompt_without_one_place_for_the_text_is_refused(prompt):
    with pytest.raises(ConfigError, match=r"encoder\.prompt is .*expected null, or a text with \{text\} once"):
        SmolLMEncoder(prompt=prompt)


def test_a_prompt_that_leaves_no_room_is_refused(llama, tmp_path):
    encoder = SmolLMEncoder(llama, max_length=4, prompt="the old man and the sea {text}")
    encoder.fit(TEXTS, tmp_path)
    with pytest.raises(ConfigError, match=r"encoder\.prompt has \d+ tokens, which leaves no room"):
        encoder.encode(TEXTS)


def test_weights_from_scratch_are_another_encoder_s():
    with pytest.raises(ConfigError, match=r"encoder=smollm has no architecture.*encoder=gpt2"):
        SmolLMEncoder("catalogue")
