"""Random evaluation data for the tests of metrics."""

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from scipy.sparse import csr_matrix

from recsys.config.compose import conf_dir
from recsys.experiment.build import build
from recsys.metrics.context import MetricContext


def suite(name="default", *overrides):
    """The metrics of `conf/metrics/<name>.yaml`, with overrides such as `metrics.top_k=[3]`."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return build("metrics", compose(f"metrics/{name}", list(overrides)).metrics)


def random_context(n_items=60, n_users=200, seed=0):
    rng = np.random.default_rng(seed)
    counts = torch.from_numpy(rng.integers(0, 30, n_items) * (rng.random(n_items) < 0.8))
    vectors = rng.random((n_items, 8)) * (rng.random((n_items, 8)) < 0.4)
    vectors /= np.maximum(1e-12, np.linalg.norm(vectors, axis=1, keepdims=True))
    return MetricContext(n_items, counts, n_users, counts > 0, csr_matrix(vectors))


def random_queries(n_queries=40, n_items=60, seed=0):
    """Tie-free scores with excluded items, at least one positive (never excluded) in each row, query numbers."""
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.linspace(-3, 3, n_items), (n_queries, 1)), axis=1)
    positives = rng.random((n_queries, n_items)) < 0.1
    positives[np.arange(n_queries), rng.integers(0, n_items, n_queries)] = True
    scores[(rng.random(scores.shape) < 0.2) & ~positives] = -np.inf
    return torch.from_numpy(scores).float(), torch.from_numpy(positives), torch.arange(n_queries)
