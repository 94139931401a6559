import numpy as np
import pytest
import torch
from encoders.tiny_models import causal_folder
from tokenizers.processors import TemplateProcessing

from recsys.language_models.causal import CausalLM
from recsys.language_models.generation import ends_of
from recsys.language_models.memory_probe import WRITTEN_TOKENS, MemoryProbe, most_probable

PREFIXES = ["the red", "a blue one", "old", "new sea of", "love and", "no war"]
CONTINUATIONS = [" river", " house (1995)", " of man", " in love", " at night", " tale"]
GROUPS = np.array([[0, 1, 2], [5, 3, 4]])


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    folder = causal_folder("gpt2", tmp_path_factory.mktemp("gpt2"))
    return MemoryProbe(CausalLM(str(folder), batch_tokens=64, device="cpu")).open(folder)


def log_likelihood(model: CausalLM, prefix: str, continuation: str) -> float:
    """The mean log-probability of the continuation's tokens, from the whole text read at once."""
    before, after = model.tokens([prefix, continuation])
    ids = torch.tensor([0, *before, *after])
    with torch.no_grad():
        logits = model.model(input_ids=ids[None]).logits[0].log_softmax(dim=1)
    return float(logits[len(before) : -1].gather(1, torch.tensor(after)[:, None]).mean())


def expected(model: CausalLM) -> list[list[bool]]:
    scores = [
        [[log_likelihood(model, PREFIXES[i], CONTINUATIONS[j]) for j in group] for i in group] for group in GROUPS
    ]
    centred = np.array(scores) - np.mean(scores, axis=1, keepdims=True)
    return [[bool(row.argmax() == place) for place, row in enumerate(group)] for group in centred]


def test_scores_are_those_of_the_whole_texts(probe):
    assert probe.hits(PREFIXES, CONTINUATIONS, GROUPS).tolist() == expected(probe.language_model)


def test_a_text_is_continued_by_the_most_probable_tokens_until_the_line_ends(probe):
    model = probe.language_model
    for prefix, text in zip(PREFIXES, probe.write(PREFIXES), strict=True):
        ids = [0, *model.tokens([prefix])[0]]
        for _ in range(WRITTEN_TOKENS):
            with torch.no_grad():
                ids.append(int(model.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in ends_of(model.model, model.tokenizer):
                break
        written = model.tokenizer.decode(ids[1 + len(model.tokens([prefix])[0]) :], skip_special_tokens=True)
        assert text == written.strip().split("\n")[0]


@pytest.mark.parametrize("template", ["<s> $A", "<s> $A <|endoftext|>"])
def test_probes_begin_with_the_tokens_that_a_tokenizer_puts_before_texts(tmp_path, template):
    model = CausalLM(str(causal_folder("gpt2", tmp_path, vocab_size=400)))
    model.open(tmp_path)
    model.tokenizer.add_special_tokens({"bos_token": "<s>"})
    ends = [(token, model.tokenizer.convert_tokens_to_ids(token)) for token in ("<s>", "<|endoftext|>")]
    model.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=ends)
    read = MemoryProbe(model)._tokens(["the red"], True)
    assert read.ids.tolist() == [[ends[0][1], *model.tokens(["the red"])[0]]]
    assert MemoryProbe(model)._tokens([" river"], False).ids.tolist() == model.tokens([" river"])


def test_no_group_no_hit(probe):
    assert probe.hits([], [], np.zeros((0, 3), dtype=np.int64)).shape == (0, 3)


@pytest.mark.slow
def test_a_model_that_has_learnt_the_texts_completes_all_of_them(probe):
    model = probe.language_model
    texts = [[0, *before, *after] for before, after in zip(*map(model.tokens, (PREFIXES, CONTINUATIONS)), strict=True)]
    optimizer = torch.optim.Adam(model.model.parameters(), lr=0.01)
    model.model.requires_grad_(True)
    with torch.enable_grad():
        for _ in range(60):
            loss = sum(model.model(input_ids=ids[None], labels=ids[None]).loss for ids in map(torch.tensor, texts))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert probe.hits(PREFIXES, CONTINUATIONS, GROUPS).all()
    written = zip(probe.write(PREFIXES), CONTINUATIONS, strict=True)
    assert all(text.startswith(own.strip()) for text, own in written)
    wrong = [*CONTINUATIONS[1:3], CONTINUATIONS[0], *CONTINUATIONS[4:], CONTINUATIONS[3]]
    assert not probe.hits(PREFIXES, wrong, GROUPS).any()


def test_without_knowledge_one_of_k_is_right():
    scores = np.random.default_rng(0).standard_normal((20_000, 4, 4)) + np.array([3.0, 0.0, -1.0, -9.0])
    assert most_probable(scores).mean() == pytest.approx(1 / 4, abs=0.01)


def test_a_tie_is_not_right():
    assert not most_probable(np.zeros((1, 3, 3))).any()
