from __future__ import annotations

import pytest
import torch
from encoders.tiny_models import causal_folder

from recsys.language_models.generation import GumbelNoise, LocalGenerator
from recsys.language_models.token_budget import BudgetError, TokenBudget
from recsys.schema import ConfigError

PROMPTS = ["a red apple", "the green pear and the old house by the sea", "b", "apple pear apple pear"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return causal_folder("llama", tmp_path_factory.mktemp("writer"))


def answers(folder, prompts=PROMPTS, attempt=0, budget=None, **settings):
    generator = LocalGenerator(str(folder), **{"max_new_tokens": 6, "device": "cpu", **settings})
    generator.open(folder)
    found = {}
    generator.generate(
        prompts, attempt, lambda rows, made: found.update(zip(rows, made, strict=True)), budget or TokenBudget()
    )
    return [found[row] for row in range(len(prompts))]


def test_greedy_answers_are_those_of_the_most_likely_tokens_one_by_one(folder):
    generator = LocalGenerator(str(folder), device="cpu")
    generator.open(folder)
    for prompt, answer in zip(PROMPTS, answers(folder), strict=True):
        ids = generator.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        n = ids.shape[1]
        for _ in range(6):
            with torch.no_grad():
                ids = torch.cat([ids, generator.model(ids).logits[:, -1:].argmax(dim=2)], dim=1)
            if ids[0, -1] == 0:  # the end of a text
                break
        assert answer.text == generator.tokenizer.decode(ids[0, n:], skip_special_tokens=True)
        assert (answer.prompt_tokens, answer.completion_tokens) == (n, ids.shape[1] - n)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_the_batch_has_no_influence(folder, temperature):
    together = answers(folder, temperature=temperature)
    assert together == answers(folder, temperature=temperature, batch_tokens=1)
    assert together[::-1] == answers(folder, PROMPTS[::-1], temperature=temperature)


def test_seed_and_attempt_change_sampled_answers_and_an_attempt_greedy_ones(folder):
    sampled = answers(folder, temperature=1.5)
    assert sampled == answers(folder, temperature=1.5)
    assert sampled != answers(folder, temperature=1.5, seed=1)
    assert sampled != answers(folder, temperature=1.5, attempt=1)
    assert answers(folder) != answers(folder, attempt=1)


def test_noisy_scores_are_drawn_from_the_softmax():
    scores = torch.log(torch.tensor([0.7, 0.2, 0.1])).expand(4000, 3)
    drawn = GumbelNoise(1.0, range(4000))(torch.empty(0), scores).argmax(dim=1)
    shares = torch.bincount(drawn, minlength=3) / 4000
    assert shares.tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


def test_a_chat_template_is_used_where_there_is_one(folder):
    generator = LocalGenerator(str(folder), device="cpu")
    generator.open(folder)
    plain = generator.count_tokens(["a red apple"])
    generator.tokenizer.chat_template = "{% for m in messages %}red {{ m['content'] }} red{% endfor %}"
    assert generator.count_tokens(["a red apple"]) > plain


@pytest.mark.slow
def test_a_prompt_has_the_tokens_of_the_whole_chat(cache_dir):
    generator = LocalGenerator(device="cpu")  # SmolLM2
    generator.open(cache_dir)
    for prompt in ("What is it about?\n- Heat (1995)\n- Alien", " a first space", "Ünïcode…", "1 + 1", "a\n\n"):
        chat = [{"role": "user", "content": prompt}]
        whole = generator.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        assert generator._encoded([prompt]) == generator.tokens([whole]), prompt


def test_special_tokens_in_a_prompt_are_plain_words(folder):
    generator = LocalGenerator(str(folder), device="cpu")
    generator.open(folder)
    tokenizer = generator.tokenizer
    special = tokenizer.all_special_ids
    (ids,) = generator._encoded([f"a red {tokenizer.eos_token} apple"])
    assert special
    assert not set(special) & set(ids[len(generator.added) :]) - {tokenizer.unk_token_id}


def test_a_base_model_reads_the_start_that_its_tokenizer_adds(folder):
    generator = LocalGenerator(str(folder), device="cpu")
    generator.open(folder)
    plain = generator._encoded(["a red apple"])[0]
    generator.tokenizer = Adding(generator.tokenizer, start=7)
    assert generator._encoded(["a red apple"]) == [[7, *plain]]


class Adding:
    """A tokenizer that adds a token at the beginning of a text, as Llama's does."""

    def __init__(self, tokenizer, start):
        self.tokenizer, self.start = tokenizer, start

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def __call__(self, texts, add_special_tokens=True, **options):
        found = self.tokenizer(texts, add_special_tokens=False, **options)
        if add_special_tokens:
            found["input_ids"] = [self.start, *found["input_ids"]]
        return found


def test_a_chat_template_without_the_message_is_an_error(folder):
    generator = LocalGenerator(str(folder), device="cpu")
    generator.open(folder)
    generator.tokenizer.chat_template = "red"
    with pytest.raises(ConfigError, match="has the user's message 0 times; expected once"):
        generator.count_tokens(["a red apple"])


def test_the_identity_has_the_content_and_not_the_name(folder, tmp_path):
    other = tmp_path / "renamed"
    other.symlink_to(folder)
    identity = LocalGenerator(str(folder)).identity()
    assert identity == LocalGenerator(str(other)).identity()
    assert identity != LocalGenerator(str(folder), max_new_tokens=5).identity()
    assert identity != LocalGenerator(str(folder), temperature=1.0).identity()


def test_a_budget_ends_it_before_a_batch(folder):
    with pytest.raises(BudgetError, match=r"max_tokens=3"):
        answers(folder, budget=TokenBudget(max_tokens=3))


@pytest.mark.parametrize("wrong", [{"max_new_tokens": 0}, {"temperature": -1}, {"seed": -1}, {"device": "tpu"}])
def test_impossible_values_are_errors(wrong):
    with pytest.raises(ConfigError, match=rf"language_model\.{next(iter(wrong))}"):
        LocalGenerator(**wrong)


def test_a_prompt_that_is_too_long_is_an_error(folder):
    with pytest.raises(ConfigError, match=r"max_new_tokens"):
        answers(folder, ["apple " * 600])
