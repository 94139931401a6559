"""Held-out perplexity of `encoder=gpt2` pretrained on the catalogue against smoothed 3-gram models of the same tokens.

The rivals are nltk's (`pip install nltk`): interpolated by Witten and Bell's rule, and by absolute discounting.

Example:
    python benchmarks/perplexity.py
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness import Comparison

from recsys.config.compose import build, compose
from recsys.encoders.pretraining import pretrained
from recsys.experiment.inputs import load_split
from recsys.language_models.loading import load
from recsys.tracking import environment

TASK = "learning from the train texts"
RIVAL = "3-grams"
ORDER = 3
EPOCHS = "encoder.pretraining.epochs=8"
TINY = ["encoder.sizes={vocabulary_size: 400, n_layers: 1, n_heads: 2, hidden_dim: 16}"]
TINY += ["encoder.pretraining.epochs=1", "data=synthetic", "data.n_users=60", "data.n_items=80"]
TINY += ["data.n_interactions=500"]


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print its table and write its figures."""
    arguments = _arguments(argv)
    with tempfile.TemporaryDirectory() as cache:
        overrides = ["encoder=gpt2", f"paths.cache_dir={cache}", *arguments.overrides]
        cfg = compose([*overrides, *(TINY if arguments.tiny else [])])
        split = load_split(cfg)
        texts = [text for text, warm in zip(split.dataset.texts, split.warm_items, strict=True) if warm]
        encoder = build("encoder", cfg.encoder)
        folder, report = pretrained(encoder, texts, Path(cache))
        train, held_out = _tokens(encoder, texts, folder)
    seconds, perplexities = _rivals(train, held_out, report["vocabulary_size"])
    comparison = Comparison(
        name="perplexity",
        what=f"Perplexity on {len(held_out):,} of {len(train) + len(held_out):,} texts of {split.dataset.name}",
        settings={"threads": 1, "overrides": " ".join(arguments.overrides)},
        rival_name=RIVAL,
        ours=[{TASK: report["seconds"]}],
        rival=[{TASK: seconds}],
        versions={**environment.versions(), "nltk": version("nltk")},
    )
    comparison.checks = {
        "train tokens": sum(map(len, train)),
        "tokens predicted": report["n_held_out_tokens"],
        "perplexity of gpt2": round(report["held_out_perplexity"], 2),
        **{f"perplexity of 3-grams, {name}": round(value, 2) for name, value in perplexities.items()},
    }
    if report["n_held_out_tokens"] != sum(len(tokens) - 1 for tokens in held_out):
        raise SystemExit("The two sides predict different tokens: this compares different work.")
    comparison.show()
    if not arguments.tiny:
        comparison.save()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", default=[EPOCHS], help=f"of conf/train.yaml; {EPOCHS} if none is given")
    parser.add_argument("--tiny", action="store_true", help="a toy catalogue, to see that it runs")
    return parser.parse_args(argv)


def _tokens(encoder: Any, texts: Sequence[str], folder: Path) -> tuple[list[list[int]], list[list[int]]]:
    """Tokens of the texts that the model was trained on, and of those that were held out of it."""
    import torch

    from recsys.encoders.objectives import tokenize
    from recsys.encoders.pretraining_loop import hold_out

    tokenizer, _ = load(folder, True, encoder.max_length)
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    generator = torch.Generator().manual_seed(encoder.pretraining.seed)
    parts = hold_out(distinct, encoder.pretraining.held_out_share, generator)
    train, held_out = (tokenize(tokenizer, part, encoder.max_length) for part in parts)
    return train, held_out


def _rivals(train: list[list[int]], held_out: list[list[int]], n_tokens: int) -> tuple[float, dict[str, float]]:
    from nltk.lm import AbsoluteDiscountingInterpolated, Vocabulary, WittenBellInterpolated
    from nltk.util import everygrams

    texts, perplexities, start = _words(train), {}, time.perf_counter()
    vocabulary = [str(token) for token in range(n_tokens)]
    for model in (WittenBellInterpolated, AbsoluteDiscountingInterpolated):
        fitted = model(ORDER, vocabulary=Vocabulary(vocabulary))
        fitted.fit([(word,)] for word in vocabulary)  # once more each, or a token without a count is impossible
        fitted.fit(everygrams(text, max_len=ORDER) for text in texts)
        losses = [-fitted.logscore(word, context) for word, context in _predicted(_words(held_out))]
        perplexities[model.__name__] = 2 ** (math.fsum(losses) / len(losses))
    return time.perf_counter() - start, perplexities


def _words(texts: list[list[int]]) -> list[list[str]]:
    return [[str(token) for token in tokens] for tokens in texts]


def _predicted(texts: list[list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Every token but a text's first, which the model is not asked for either, with the two before it."""
    for words in texts:
        for place in range(1, len(words)):
            yield words[place], words[max(0, place - ORDER + 1) : place]


if __name__ == "__main__":
    main()
