"""Losses over the scores of a positive and its negatives. Each takes and gives the same shapes, so any can be swapped.

Shapes: `positive` (B,), `negative` (B, N), `mask` (B, N, bool; False for a known positive or padding).
`multinomial` is a user-level reconstruction loss; `likelihood` has no negatives.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from recsys.support.number_checks import check_number

CACHED_SCORES = 2**17  # scores of a block: half a megabyte, which fits a processor's cache


def bpr(positive: Tensor, negative: Tensor, mask: Tensor) -> Tensor:
    """Bayesian personalised ranking: −log σ(positive − negative), averaged over pairs.

    Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.

    Example:
        >>> loss = bpr(torch.tensor([1.0]), torch.tensor([[1.0, 9.0]]), torch.tensor([[True, False]]))
        >>> round(loss.item(), 4)  # -log(1/2)
        0.6931
    """
    return _masked_mean(functional.softplus(negative - positive.unsqueeze(1)), mask)


def bce(positive: Tensor, negative: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy: positives are 1, negatives 0; each side counts one half however many negatives there are.

    Example:
        >>> loss = bce(torch.tensor([0.0]), torch.tensor([[0.0]]), torch.tensor([[True]]))
        >>> round(loss.item(), 4)  # log(2)
        0.6931
    """
    return 0.5 * (functional.softplus(-positive).mean() + _masked_mean(functional.softplus(negative), mask))


def sampled_softmax(positive: Tensor, negative: Tensor, mask: Tensor) -> Tensor:
    """Sampled softmax: cross-entropy of the positive against itself and its negatives.

    Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation", ACL 2015. If the sampler has a
    logQ correction, it is already subtracted from the scores.

    Example:
        >>> negatives, mask = torch.tensor([[2.0, 2.0, 7.0]]), torch.tensor([[True, True, False]])
        >>> loss = sampled_softmax(torch.tensor([2.0]), negatives, mask)
        >>> round(loss.item(), 4)  # log(3)
        1.0986
    """
    logits = torch.cat([positive.unsqueeze(1), negative.masked_fill(~mask, -torch.inf)], dim=1)
    return (torch.logsumexp(logits, dim=1) - positive).mean()


def infonce(positive: Tensor, negative: Tensor, mask: Tensor, temperature: float = 0.2) -> Tensor:
    """InfoNCE: `sampled_softmax` of the scores divided by a temperature.

    Van den Oord, Li and Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018. Rankers without a
    temperature of their own, such as LightGCN, need it for cosines, which are between −1 and 1.

    Args:
        positive: Scores of the positives.
        negative: Scores of the negatives. A logQ correction must have been multiplied by the temperature.
        mask: Which negatives count.
        temperature: Below 1 it weighs the negatives with the highest scores more.

    Raises:
        ConfigError: If the temperature is not positive.

    Example:
        >>> loss = infonce(torch.tensor([0.5]), torch.tensor([[0.0]]), torch.tensor([[True]]), temperature=0.5)
        >>> round(loss.item(), 4)  # log(1 + e⁻¹)
        0.3133
    """
    check_number("loss.temperature", temperature, above=0)
    return sampled_softmax(positive / temperature, negative / temperature, mask)


class SoftLabels(NamedTuple):
    """A teacher's candidates (B, K): the scores of the model and of the teacher, and the mask of real candidates."""

    student: Tensor
    teacher: Tensor
    mask: Tensor


def distil(
    positive: Tensor,
    negative: Tensor,
    mask: Tensor,
    soft: SoftLabels | None = None,
    temperature: float = 2.0,
    weight: float = 0.5,
) -> Tensor:
    """Distillation: w·T²·KL(softmax(teacher/T) ‖ softmax(student/T)) + (1 − w)·`sampled_softmax`.

    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. The divergence is over a teacher's
    candidates, averaged over the batch; an example without candidates counts as 0.

    Args:
        positive: Scores of the positives.
        negative: Scores of the negatives.
        mask: Which negatives count.
        soft: Scores of the teacher's candidates; None for the second term alone.
        temperature: T.
        weight: w.

    Example:
        >>> real = torch.tensor([[True, True]])
        >>> soft = SoftLabels(torch.zeros(1, 2), torch.tensor([[0.0, 99.0]]), real)
        >>> loss = distil(torch.zeros(1), torch.zeros(1, 1), real[:, :1], soft, temperature=1.0, weight=0.5)
        >>> round(loss.item(), 4)  # (log(2) + log(2))/2
        0.6931
    """
    hard = (1 - weight) * sampled_softmax(positive, negative, mask)
    return hard if soft is None else hard + weight * temperature**2 * _divergence(soft, temperature)


def _divergence(soft: SoftLabels, temperature: float) -> Tensor:
    """KL(softmax(teacher/T) ‖ softmax(student/T)), averaged over the batch."""
    nothing = torch.finfo(torch.float32).min  # finite, for rows that are masked as a whole
    student, teacher = (
        functional.log_softmax((scores.float() / temperature).masked_fill(~soft.mask, nothing), dim=1)
        for scores in (soft.student, soft.teacher)
    )
    terms = teacher.exp() * (teacher - student)
    return terms.masked_fill(~soft.mask, 0.0).sum(dim=1).mean()


def full_softmax(positive: Tensor, negative: Tensor, mask: Tensor, rows: Tensor | None = None) -> Tensor:
    """The value of `sampled_softmax`, computed faster if the negatives are the whole catalogue (`negatives=all`).

    The scores are read once and the gradient is written once, in blocks that fit the cache. Separate tensor operations
    would pass through memory once each.

    Args:
        positive: (B,) scores of the positives.
        negative: (B, N) scores of the negatives; with `rows`, (U, N) of the batch's distinct users.
        mask: Which negatives count, shaped as `negative`.
        rows: (B,) the row of `negative` that belongs to each positive; None if it is its own.

    Example:
        >>> scores, mask = torch.tensor([[2.0, 2.0, 7.0]]), torch.tensor([[True, True, False]])
        >>> loss = full_softmax(torch.tensor([2.0]), scores, mask)
        >>> round(loss.item(), 4)  # log(3)
        1.0986
    """
    if negative.dtype.itemsize < 4:  # 16 bits are too few for a sum over a catalogue
        positive, negative = positive.float(), negative.float()
    totals: Tensor = _MaskedLogSumExp.apply(negative, mask)
    totals = totals if rows is None else totals.index_select(0, rows)
    return (torch.logaddexp(totals, positive) - positive).mean()


class _MaskedLogSumExp(torch.autograd.Function):
    """log Σ exp (R,) over the columns of scores (R, N) that a mask keeps, −∞ where it keeps none, and its gradient."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, mask: Tensor) -> Tensor:
        shares = torch.empty_like(scores)  # of the softmax
        totals, nothing = scores.new_empty(len(scores)), scores.new_tensor(-torch.inf)
        lowest = torch.finfo(scores.dtype).min
        height = max(1, CACHED_SCORES // max(1, scores.shape[1])) if scores.device.type == "cpu" else len(scores)
        for start in range(0, len(scores), height):
            rows = slice(start, start + height)
            block = torch.where(mask[rows], scores[rows], nothing, out=shares[rows])
            top = block.amax(dim=1).clamp(min=lowest)
            total = block.sub_(top.unsqueeze(1)).exp_().sum(dim=1)
            block.div_(total.clamp(min=1).unsqueeze(1))  # it is 1 or more, unless the mask keeps nothing
            totals[rows] = top + total.log()
        ctx.save_for_backward(shares)
        return totals

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (shares,) = ctx.saved_tensors
        # In place: the saved tensor is used once, and torch raises an error if it is read again.
        return shares.mul_(gradient.unsqueeze(1)), None


def gbce(positive: Tensor, negative: Tensor, mask: Tensor, n_items: int, t: float = 0.75) -> Tensor:
    """Generalised binary cross-entropy: bce whose positive is σ(s)^β, against overconfidence from sampled negatives.

    Petrov and Macdonald, "gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with Negative
    Sampling", RecSys 2023: −1/(k + 1)·(β log σ(s⁺) + Σ log(1 − σ(s⁻))) over k negatives, averaged
    over positives, with β = α(t(1 − 1/α) + 1/α) = 1 − t(1 − α) and α = k/(n_items − 1), the sampling rate of negatives.

    Args:
        positive: Scores of the positives.
        negative: Scores of the negatives, drawn uniformly.
        mask: Which negatives count.
        n_items: Number of items that negatives are drawn from, including the positive.
        t: Calibration: 0 is bce over k + 1 terms, 1 corrects the predicted probabilities fully for the sampling.

    Raises:
        ConfigError: If `t` is not between 0 and 1.

    Example:
        >>> loss = gbce(torch.tensor([0.0]), torch.tensor([[0.0]]), torch.tensor([[True]]), n_items=5, t=1.0)
        >>> round(loss.item(), 4)  # β = α = 1/4: (1/4 + 1)/2 · log(2)
        0.4332
    """
    check_number("loss.t", t, at_least=0, at_most=1)
    sampled_share = min(1.0, negative.shape[1] / max(1, n_items - 1))
    beta = 1 - t * (1 - sampled_share)
    negatives = functional.softplus(negative).masked_fill(~mask, 0.0).sum(dim=1)
    return ((beta * functional.softplus(-positive) + negatives) / (mask.sum(dim=1) + 1)).mean()


def multinomial(scores: Tensor, history: Tensor, history_mask: Tensor) -> Tensor:
    """Multinomial negative log likelihood of a user's interactions under a softmax over items; the mean over users.

    Liang et al., "Variational Autoencoders for Collaborative Filtering", WWW 2018, equation 2.

    Args:
        scores: (B, n_items) logits; −∞ for an item of probability 0.
        history: (B, L) items that the user interacted with.
        history_mask: (B, L) which entries of `history` are real.

    Example:
        >>> done, mask = torch.tensor([[0, 2]]), torch.tensor([[True, True]])
        >>> round(multinomial(torch.zeros(1, 4), done, mask).item(), 4)  # 2 log(4)
        2.7726
    """
    terms = torch.logsumexp(scores, dim=1, keepdim=True) - scores.gather(1, history)
    return terms.masked_fill(~history_mask, 0.0).sum(dim=1).mean()


def likelihood(positive: Tensor) -> Tensor:
    """Negative log likelihood of the positives, for rankers whose scores are log probabilities over the catalogue.

    Args:
        positive: (B,) log probabilities of the positives.

    Example:
        >>> round(likelihood(torch.tensor([0.25, 1.0]).log()).item(), 4)  # (log(4) + log(1))/2
        0.6931
    """
    return -positive.mean()


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)
