from __future__ import annotations

import pytest
from encoders.tiny_models import causal_folder
from tokenizers import Tokenizer, models, normalizers
from transformers import PreTrainedTokenizerFast

from recsys.language_models.causal import CausalLM
from recsys.rankers.local_scores import yes_no
from recsys.schema import ConfigError

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


def test_a_tokenizer_without_yes_and_no_is_an_error(tmp_path):
    made = with_tokenizer(tmp_path, MERGES)
    made.tokens = lambda texts: [[1, 0] for _ in texts]
    with pytest.raises(ConfigError, match=r"ranker\.score=yes_no: the tokenizer of .* same tokens"):
        yes_no(made)
