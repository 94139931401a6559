"""Mult-VAE: a variational autoencoder of a user's interactions, with a multinomial likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from recsys.rankers.base import Reconstructing
from recsys.rankers.histories import HistoryRanker, multi_hot
from recsys.schema import ModelContext, UserBatch
from recsys.support.number_checks import check_number, check_whole, check_wholes


class MultVAERanker(HistoryRanker, Reconstructing):
    """score(u, ·) = f(μ(x_u)): x_u has a 1 for each item of u's history, and μ and f are perceptrons with tanh.

    Liang et al., "Variational Autoencoders for Collaborative Filtering", WWW 2018. Training minimises equation 6 with
    `loss=multinomial`: −E[log p(x|z)] + β·KL(q(z|x)‖N(0, 1)) for z ~ q(z|x) = N(μ(x), σ²(x)), where x is scaled to
    length 1, with dropout, before it is encoded; β rises from 0 to `anneal_cap` in `anneal_steps` steps. Scores use μ
    without sampling. Items without train interactions are not in the softmax, and are ranked last. A user without a
    history has the scores of x = 0, which are close to popularity.

    Args:
        context: Sizes of the data.
        hidden_dims: Widths of the encoder's hidden layers; the decoder has the same in reverse.
        latent_dim: Width of z.
        dropout: Share of a user's interactions that are masked from the encoder in training.
        anneal_cap: The final β; 0 leaves the divergence out.
        anneal_steps: Number of steps in which β rises; with 0, β is `anneal_cap` from the first step.
        noise: Factor of σ(x) when z is drawn in training: 1 as in the paper; 0 trains on the mean.

    Raises:
        ConfigError: If a value is impossible.
    """

    warm: Tensor
    n_steps: Tensor

    def __init__(
        self,
        context: ModelContext,
        hidden_dims: Sequence[int] = (200,),
        latent_dim: int = 64,
        dropout: float = 0.5,
        anneal_cap: float = 0.2,
        anneal_steps: int = 1000,
        noise: float = 1.0,
    ) -> None:
        super().__init__(context.n_items)
        check_wholes("ranker.hidden_dims", hidden_dims, 1, "[200]", may_be_empty=True)
        check_whole("ranker.latent_dim", latent_dim, 1)
        check_number("ranker.dropout", dropout, at_least=0, below=1)
        check_number("ranker.anneal_cap", anneal_cap, at_least=0)
        check_whole("ranker.anneal_steps", anneal_steps, 0)
        check_number("ranker.noise", noise, at_least=0)
        widths = list(hidden_dims)
        self.anneal_cap, self.anneal_steps, self.noise = anneal_cap, anneal_steps, noise
        self.dropout = nn.Dropout(dropout)
        self.encoder = _perceptron([context.n_items, *widths, 2 * latent_dim])
        self.decoder = _perceptron([latent_dim, *widths[::-1], context.n_items])
        self.register_buffer("warm", context.warm_items.clone(), persistent=False)
        self.register_buffer("n_steps", torch.zeros((), dtype=torch.int64))  # taken so far; a resumed run continues

    @property
    def beta(self) -> float:
        """The weight β of the KL divergence in the current step."""
        return self.anneal_cap * min(1.0, int(self.n_steps) / max(1, self.anneal_steps) if self.anneal_steps else 1.0)

    def reconstruct(self, users: UserBatch) -> tuple[Tensor, Tensor]:
        mean, log_variance = self._encode(users)
        deviation = torch.exp(0.5 * log_variance)
        z = mean + self.noise * deviation * torch.randn_like(deviation) if self.training else mean
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        penalty = self.beta * divergence
        if self.training:
            self.n_steps += 1
        return self.decoder(z).masked_fill(~self.warm, -torch.inf), penalty

    def score_histories(self, users: UserBatch) -> Tensor:
        scores = self.decoder(self._encode(users)[0])
        lowest = scores.masked_fill(~self.warm, torch.inf).amin(dim=1, keepdim=True)
        return torch.where(self.warm, scores, lowest - 1)

    def _encode(self, users: UserBatch) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, latent_dim) of q(z|x)."""
        x = nn.functional.normalize(multi_hot(users, self.n_items), dim=1)
        mean, log_variance = self.encoder(self.dropout(x)).chunk(2, dim=1)
        return mean, log_variance


def _perceptron(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(widths):
        linear = nn.Linear(wide, narrow)
        nn.init.xavier_normal_(linear.weight)
        nn.init.normal_(linear.bias, std=0.001)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])
