"""Log-likelihood of texts as continuations of others: each prefix is encoded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recsys.language_models.lengths import attention_window, length_batches, of_one_length
from recsys.language_models.progress_bar import track
from recsys.language_models.shared_prefix import cache_arguments, has_attention_throughout
from recsys.language_models.token_lists import Tokens
from recsys.schema import ConfigError

# From logits (n, L + 1, vocabulary), the last token before and then those of the continuations (n, L), and the latter
# themselves, to scores (n,).
Reduce = Callable[[Tensor, Tokens], Tensor]


@torch.inference_mode()
def score_continuations(
    model: Any, prefixes: Tokens, owners: Tensor, continuations: Tokens, reduce: Reduce, batch_tokens: int
) -> Tensor:
    """Scores (n,) of continuations, each after its own prefix.

    The keys and values of a prefix are computed once and shared by its continuations.

    Args:
        model: A causal language model of transformers.
        prefixes: Of at least two tokens each.
        owners: (n,) the row of `prefixes` of each continuation.
        continuations: Of at least one token each.
        reduce: Turns logits into scores.
        batch_tokens: Tokens in memory at once, where those of a prefix count once for each continuation.
    """
    scores = torch.empty(len(owners))
    groups = length_batches(prefixes.lengths.numpy(), batch_tokens)
    longest = int(prefixes.lengths.max()) + int(continuations.lengths.max()) if len(owners) else 0
    if longest > attention_window(model):  # padding would be between a prefix and its continuation
        groups = of_one_length(groups, prefixes.lengths.numpy())
    for group in track(groups, "ranking with the language model"):
        rows = torch.from_numpy(group)
        places = torch.full((len(prefixes),), -1).index_put_((rows,), torch.arange(len(rows)))
        (pairs,) = (places[owners] >= 0).nonzero(as_tuple=True)
        if not len(pairs):
            continue
        before = _Before(model, prefixes[rows])
        sizes = continuations.lengths[pairs] + before.length
        for chunk in length_batches(sizes.numpy(), batch_tokens):
            chosen = pairs[torch.from_numpy(chunk)]
            after = continuations[chosen]
            scores[chosen] = reduce(before.logits(places[owners[chosen]], after), after).float().cpu()
    return scores


class _Before:
    """Encoded prefixes without their last tokens, which are encoded with the continuations."""

    def __init__(self, model: Any, prefixes: Tokens) -> None:
        from transformers import DynamicCache

        if not has_attention_throughout(model):
            raise ConfigError(
                f"ranker.language_model.weights: {type(model).__name__} keeps no keys and values of what it has read; "
                "use a model with attention in every layer, such as GPT-2, Llama, Qwen or SmolLM."
            )
        self.model, self.device = model, model.device
        self.lengths = prefixes.lengths - 1
        self.last = prefixes.ids.gather(1, self.lengths.unsqueeze(1)).to(self.device)
        read = Tokens(prefixes.ids[:, :-1], self.lengths)
        self.length, self.mask = read.ids.shape[1], read.mask.to(self.device)
        # Not a cache of the model's own kind, which may forget what is far back.
        self.cache = DynamicCache()
        inputs = {"input_ids": read.ids.to(self.device), "attention_mask": self.mask.long()}
        model.base_model(**inputs, **cache_arguments(model, self.cache))

    def logits(self, rows: Tensor, after: Tokens) -> Tensor:
        """Logits (n, L + 1, vocabulary) from the last token of the prefixes `rows` (n,) on."""
        from transformers import DynamicCache

        chosen, cache = rows.to(self.device), DynamicCache()
        layers: Any = self.cache.layers
        for number, layer in enumerate(layers):
            cache.update(layer.keys[chosen], layer.values[chosen], number)
        ids = torch.cat([self.last[chosen], after.ids.to(self.device)], dim=1)
        steps = torch.arange(ids.shape[1], device=self.device)
        mask = torch.cat([self.mask[chosen], steps <= after.lengths.to(self.device).unsqueeze(1)], dim=1).long()
        positions = self.lengths.to(self.device)[chosen].unsqueeze(1) + steps
        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        logits: Tensor = self.model(**inputs, **cache_arguments(self.model, cache)).logits
        return logits


def mean_log_likelihood(logits: Tensor, continuations: Tokens) -> Tensor:
    """The mean log-probability of a continuation's tokens, (n,)."""
    logits, ids = logits[:, :-1].float(), continuations.ids.to(logits.device).unsqueeze(2)
    of_tokens = logits.gather(2, ids).squeeze(2) - logits.logsumexp(dim=2)
    real, lengths = (tensor.to(logits.device) for tensor in (continuations.mask, continuations.lengths))
    return of_tokens.masked_fill(~real, 0.0).sum(dim=1) / lengths


def log_odds(yes: int, no: int) -> Reduce:
    """The log-odds of token `yes` against token `no` right after a continuation, (n,)."""

    def reduce(logits: Tensor, continuations: Tokens) -> Tensor:
        rows = torch.arange(len(logits), device=logits.device)
        last = logits[rows, continuations.lengths.to(logits.device)].float()
        return last[:, yes] - last[:, no]

    return reduce
