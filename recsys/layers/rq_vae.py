"""RQ-VAE: an autoencoder whose latent vector is quantised by a sequence of codes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recsys.layers.residual_kmeans import residual_kmeans

HIDDEN_DIM = 128
BATCH_SIZE = 256
LEARNING_RATE = 2e-3
COMMITMENT = 0.25  # weight of the commitment loss in the paper


class RQVAE(nn.Module):
    """A perceptron encodes a vector, each level quantises the residual of the level before it, a perceptron decodes.

    Rajput et al., "Recommender Systems with Generative Retrieval", NeurIPS 2023, section 3.1. The loss is the squared
    error of the reconstruction plus ‖sg[r] − e‖² + 0.25 ‖r − sg[e]‖² for each level's residual r and code vector e,
    where sg stops the gradient; each term is a mean over the entries of the vectors. The codebooks are initialised by
    residual k-means of the untrained encoder's latent vectors.

    Args:
        dim: Width of the vectors.
        latent_dim: Width of the latent vectors and the codebooks.
    """

    def __init__(self, dim: int, latent_dim: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(dim, HIDDEN_DIM), nn.GELU(), nn.Linear(HIDDEN_DIM, latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, HIDDEN_DIM), nn.GELU(), nn.Linear(HIDDEN_DIM, dim))
        self.books = nn.ParameterList()

    def start_books(self, vectors: Tensor, n_levels: int, n_codes: int, seed: int) -> None:
        """Initialise the codebooks by residual k-means of the latent vectors of `vectors` (n, dim)."""
        with torch.no_grad():
            latent = self.encoder(vectors).double().numpy()
        _, books = residual_kmeans(latent, np.ones(len(latent), dtype=bool), n_levels, n_codes, seed)
        self.books.extend(nn.Parameter(torch.from_numpy(book).float()) for book in books)

    def quantise(self, latent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Codes (n, n_levels), the sum of their vectors (n, latent_dim), and the quantisation loss ()."""
        residual, total, loss, codes = latent, torch.zeros_like(latent), latent.new_zeros(()), []
        for book in self.books:
            code = torch.cdist(residual.detach(), book.detach()).argmin(dim=1)
            chosen = book[code]
            loss = loss + functional.mse_loss(chosen, residual.detach())
            loss = loss + COMMITMENT * functional.mse_loss(residual, chosen.detach())
            residual, total = residual - chosen.detach(), total + chosen
            codes.append(code)
        return torch.stack(codes, dim=1), total, loss

    def loss(self, vectors: Tensor) -> Tensor:
        """The loss () of vectors (n, dim)."""
        latent = self.encoder(vectors)
        _, total, quantisation = self.quantise(latent)
        through = latent + (total - latent).detach()  # straight-through estimator
        return functional.mse_loss(self.decoder(through), vectors) + quantisation


def fit_rq_vae(
    vectors: NDArray[np.float64],
    fitted_on: NDArray[np.bool_],
    n_levels: int,
    n_codes: int,
    seed: int,
    latent_dim: int,
    n_epochs: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Codes (n, n_levels) and reconstructions (n, dim) of vectors (n, dim) by an RQ-VAE of those in `fitted_on` (n,).

    Torch's random state is unchanged afterwards.
    """
    train = vectors[fitted_on]
    mean = train.mean(axis=0) if len(train) else np.zeros(vectors.shape[1])
    scale = float(np.sqrt(np.square(train - mean).mean())) if len(train) else 0.0
    scale = scale if scale > 0 else 1.0
    inputs = torch.from_numpy((vectors - mean) / scale).float()
    own = inputs[torch.from_numpy(fitted_on)]
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), torch.inference_mode(False):
        torch.manual_seed(seed)
        model = RQVAE(vectors.shape[1], latent_dim)
        model.start_books(own, n_levels, n_codes, seed)
        _train(model, own, n_epochs)
    with torch.no_grad():
        codes, total, _ = model.quantise(model.encoder(inputs))
        decoded = model.decoder(total).double().numpy()
    return codes.numpy(), decoded * scale + mean


def _train(model: RQVAE, vectors: Tensor, n_epochs: int) -> None:
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    for _ in range(n_epochs if len(vectors) else 0):
        for rows in torch.randperm(len(vectors)).split(BATCH_SIZE):
            optimizer.zero_grad()
            model.loss(vectors[rows]).backward()
            optimizer.step()
