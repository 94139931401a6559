"""Training prompts with label tokens, for users with retrieved targets: listwise (letters), pointwise (yes or no)."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.language_models.label_training import LabelExamples
from recsys.rankers.list_prompts import LETTERS, ListTokens
from recsys.rankers.prompt_training import RetrievedTargets
from recsys.rankers.prompts import PromptTokens, newest


def list_examples(found: RetrievedTargets, tokens: ListTokens, n_history: int, keys: Tensor) -> LabelExamples:
    """One prompt for each user with all candidates; all targets of a user have the same probability.

    Args:
        found: Users and candidates (B, N).
        tokens: Makes the prompts.
        n_history: Items of the history.
        keys: (B, N) numbers; candidates are listed by increasing numbers.
    """
    order = listed(keys, found.mask)
    items, mask, is_target = (table.gather(1, order) for table in (found.items, found.mask, found.is_target))
    prompts = tokens.prompts(newest(found.users, n_history), items, mask)
    targets = is_target.float() / is_target.sum(dim=1, keepdim=True)
    missing = (0, len(LETTERS) - items.shape[1])
    return LabelExamples(prompts, torch.nn.functional.pad(mask, missing), torch.nn.functional.pad(targets, missing))


def listed(keys: Tensor, mask: Tensor) -> Tensor:
    """(B, N) the candidates by increasing keys (B, N), those outside `mask` last."""
    return keys.double().masked_fill(~mask, torch.inf).argsort(dim=1, stable=True)


def pair_examples(
    found: RetrievedTargets, tokens: PromptTokens, n_history: int, few_shot: Tensor, n_negatives: int, keys: Tensor
) -> LabelExamples:
    """Prompts for one target and some other candidates of each user; labels are yes and no.

    Args:
        found: Users and candidates (B, N).
        tokens: Makes the prompts.
        n_history: Items of the history.
        few_shot: (E, n) few-shot histories, which are in every prompt.
        n_negatives: Maximum number of other candidates of each user.
        keys: (B, N) numbers; the candidates with the lowest are chosen.
    """
    target = listed(keys, found.is_target)[:, :1]
    is_other = found.mask & ~found.is_target
    others = listed(keys, is_other)[:, :n_negatives]
    chosen = torch.cat([target, others], dim=1)
    real = torch.cat([torch.ones_like(target, dtype=torch.bool), is_other.gather(1, others)], dim=1)
    owners, places = real.nonzero(as_tuple=True)
    items = found.items.gather(1, chosen)[owners, places]
    prefixes = tokens.prefixes(newest(found.users, n_history), few_shot)
    prompts = prefixes[owners].followed_by(tokens.continuations(items))
    is_yes = (places == 0).float()
    targets = torch.stack([is_yes, 1 - is_yes], dim=1)
    return LabelExamples(prompts, torch.ones_like(targets, dtype=torch.bool), targets)
