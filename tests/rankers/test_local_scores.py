from __future__ import annotations

import pytest
import torch
from encoders.tiny_models import causal_folder
from tokenizers import Tokenizer, models, normalizers
from transformers import PreTrainedTokenizerFast

from recsys.language_models.causal import CausalLM
from recsys.rankers.list_prompts import ANSWER, LETTERS, ListTokens
from recsys.rankers.local_scores import yes_no
from recsys.rankers.prompts import Prompt, PromptTokens
from recsys.schema import ConfigError, ItemTexts

SPACE = "\u2581"
PIECES = ["<unk>", SPACE, *"yesno", "es", "yes", "no", f"{SPACE}yes", f"{SPACE}no"]
MERGES = [("e", "s"), ("y", "es"), ("n", "o"), (SPACE, "yes"), (SPACE, "no")]


def with_tokenizer(folder, merges) -> CausalLM:
    """A model whose tokenizer puts a space before each text, as Llama 2's does."""
    vocabulary = {piece: row for row, piece in enumerate(dict.fromkeys(PIECES))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    made = CausalLM(str(causal_folder("llama", folder)))
    made.tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")
    return made


def test_answers_that_begin_with_the_same_space_are_compared_by_their_words(tmp_path):
    made = with_tokenizer(tmp_path, MERGES)
    assert [made.tokenizer.convert_ids_to_tokens(ids) for ids in made.tokens([" yes", " no"])] == [
        [SPACE, f"{SPACE}yes"],
        [SPACE, f"{SPACE}no"],
    ]
    assert made.tokenizer.convert_ids_to_tokens(yes_no(made)) == [f"{SPACE}yes", f"{SPACE}no"]


def test_a_title_that_looks_like_a_special_token_is_text(tmp_path):
    made = CausalLM(str(causal_folder("llama", tmp_path)))
    made.open(tmp_path)
    texts = ItemTexts(lambda: ["<|endoftext|> rain", "rain"], lambda: [], tmp_path)
    end, prompt = made.tokenizer.eos_token_id, Prompt("", "{text}", n_history=1, max_item_tokens=99)
    assert end not in PromptTokens(prompt, texts, made, False).continuations(torch.tensor([0])).ids
    lists = ListTokens(prompt, texts, made).prompts(*torch.tensor([[[0]], [[0]]]), torch.tensor([[True]]))
    assert lists.ids[0].tolist().count(end) == 1  # the beginning
    assert made.tokens(["<|endoftext|>"]) == [[end]]


def test_a_tokenizer_without_yes_and_no_is_an_error(tmp_path):
    made = with_tokenizer(tmp_path, MERGES)
    made.tokens = lambda texts: [[1, 0] for _ in texts]
    with pytest.raises(ConfigError, match=r"ranker\.score=yes_no: the tokenizer of .* same tokens"):
        yes_no(made)


@pytest.mark.parametrize("has_spaced_letters", [False, True])
@pytest.mark.parametrize("prepends", [False, True], ids=["as GPT-2", "as Llama 2"])
def test_a_letter_is_the_token_after_the_prompt(tmp_path, has_spaced_letters, prepends):
    """Prompt and letter have the tokens of "Answer: A", also if " A" is two tokens or would get a further space."""
    made = CausalLM(str(causal_folder("llama", tmp_path)))
    made.open(tmp_path)
    spaced = [f"{SPACE}{letter}" for letter in LETTERS] if has_spaced_letters else []
    pieces = {piece: row for row, piece in enumerate(["<unk>", SPACE, *LETTERS, *"answer:", *spaced])}
    merges = [(SPACE, letter) for letter in LETTERS] if has_spaced_letters else []
    tokenizer = Tokenizer(models.BPE({piece: row for row, piece in enumerate(dict.fromkeys(pieces))}, merges))
    before = [normalizers.Prepend(SPACE)] if prepends else []
    tokenizer.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", SPACE)])
    made.tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>")
    texts = ItemTexts(lambda: ["E", "D"], lambda: [], tmp_path)
    lists = ListTokens(Prompt("", "{text}", n_history=1), texts, made)
    ids = lists.prompts(*torch.tensor([[[0]], [[0]]]), torch.tensor([[True]])).ids[0].tolist()
    for letter, label in zip(LETTERS, lists.labels.tolist(), strict=True):
        expected = made.tokens([f"{ANSWER} {letter}"])[0]
        assert [*ids, label][-len(expected) :] == expected


def test_a_tokenizer_without_a_token_for_each_letter_is_an_error(tmp_path):
    made, pieces = CausalLM(str(causal_folder("llama", tmp_path))), dict.fromkeys(["<unk>", SPACE, *"nswer:"])
    made.open(tmp_path)
    tokenizer = Tokenizer(models.BPE({piece: row for row, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    made.tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>")
    texts = ItemTexts(lambda: ["E", "D"], lambda: [], tmp_path)
    with pytest.raises(ConfigError, match=r'ranker\.score=letters: .* no token for each letter after "Answer:"'):
        ListTokens(Prompt("", "{text}", n_history=1), texts, made)
