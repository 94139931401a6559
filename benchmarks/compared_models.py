"""The models that are compared with RecBole's: the same hyperparameters as our overrides and as its options."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

DIM, BATCH_SIZE = 64, 2048
METRICS = ["ndcg@10", "recall@10", "mrr@10", "hit_rate@10", "precision@10"]  # RecBole's default
ONE_BY_ONE = ["batches.train_history=before", "profile.count_from=newest"]
ONE_NEGATIVE = ["negatives=uniform", "negatives.n_negatives=1"]


@dataclass(frozen=True)
class Compared:
    """One model on both sides.

    Attributes:
        name: The model's, for people.
        rival: Its class in RecBole.
        ours: Overrides of our run.
        theirs: RecBole's options.
        variants: Further ways of ours to do the same work, by what is said of each.
        learning_rate: For both.
        quicker: Overrides of ours and options of RecBole's that make training to the end affordable.
        further: Further runs of ours that are held against RecBole's, by what is said of each.
    """

    name: str
    rival: str
    ours: list[str]
    theirs: dict[str, Any]
    variants: dict[str, list[str]] = field(default_factory=dict)
    learning_rate: float = 0.001
    quicker: tuple[list[str], dict[str, Any]] = field(default=([], {}))
    further: dict[str, list[str]] = field(default_factory=dict)


MODELS = {
    "bpr": Compared(
        "Matrix factorisation with BPR",
        "BPR",
        ["encoder=none", "ranker=cf", "loss=bpr", *ONE_NEGATIVE, f"features.dim={DIM}"],
        {"embedding_size": DIM},
    ),
    # RecBole's penalty is on the vectors of a batch, ours on all: 1e-8 is 1e-5 by the share of vectors in a batch.
    "lightgcn": Compared(
        "LightGCN, 2 layers",
        "LightGCN",
        [
            *["ranker=lightgcn", f"ranker.dim={DIM}", "ranker.n_layers=2"],
            *["loss=bpr", *ONE_NEGATIVE, "optimizer.weight_decay=1e-8"],
        ],
        {"embedding_size": DIM, "n_layers": 2, "reg_weight": 1e-5},
        learning_rate=0.003,
    ),
    # RecBole counts negatives as examples of a batch here, and halves the latent width there.
    "neumf": Compared(
        "NeuMF, vectors of 64 for each part, hidden layers of 128 and 64",
        "NeuMF",
        [
            "encoder=none",
            "ranker=neumf",
            "ranker.hidden_dims=[128,64]",
            "ranker.dropout=0.1",
            "loss=bce",
            *ONE_NEGATIVE,
            f"features.dim={2 * DIM}",
            "features.init_std=0.01",
            "profile.init_std=0.01",
        ],
        {"mf_embedding_size": DIM, "mlp_embedding_size": DIM, "mlp_hidden_size": [128, 64], "dropout_prob": 0.1}
        | {"train_batch_size": 2 * BATCH_SIZE},
        learning_rate=0.003,
    ),
    "sasrec": Compared(
        "SASRec, 2 layers, 2 heads, full softmax",
        "SASRec",
        [
            "experiment=sasrec",
            f"features.dim={DIM}",
            "profile.n_layers=2",
            "profile.n_heads=2",
            "profile.dropout=0.2",
            "batches.max_history=50",
        ],
        {"hidden_size": DIM, "inner_size": 4 * DIM, "n_layers": 2, "n_heads": 2, "MAX_ITEM_LIST_LENGTH": 50}
        | {"hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.2, "loss_type": "CE", "train_neg_sample_args": None},
        {"ours one by one": ONE_BY_ONE},
        learning_rate=0.003,
        quicker=(["batches.max_history=10", *ONE_BY_ONE], {"MAX_ITEM_LIST_LENGTH": 10}),
        further={"ours, whole sequences of 50": ["batches.max_history=50", "trainer.max_epochs=30"]},
    ),
    # RecBole draws z with a hundredth of the paper's noise, and β rises by 1/total_anneal_steps a step up to its cap.
    "multvae": Compared(
        "Mult-VAE, 600-64-600",
        "MultiVAE",
        [
            "ranker=multvae",
            "ranker.hidden_dims=[600]",
            "ranker.latent_dim=64",
            "ranker.dropout=0.5",
            "ranker.anneal_cap=0.2",
            "ranker.anneal_steps=2000",
            "ranker.noise=0.01",
        ],
        {"mlp_hidden_size": [600], "latent_dimension": 128, "dropout_prob": 0.5, "anneal_cap": 0.2}
        | {"total_anneal_steps": 10000, "train_neg_sample_args": None},
    ),
}


def with_histories_of(n: int, model: Compared) -> Compared:
    """The model on histories of `n` items."""
    ours = [*model.ours, f"batches.max_history={n}"]
    return replace(model, ours=ours, theirs=model.theirs | {"MAX_ITEM_LIST_LENGTH": n})


def our_overrides(model: Compared, log: Path, runs: Path, seed: int) -> list[str]:
    """A run of ours on an atomic file, on one thread, by leave-last-out."""
    return [
        "data=table",
        f"data.path={log.parent}",
        f"data.interactions.file={log.name}",
        "data.interactions.timestamp=timestamp",
        "split=leave_last_out",
        "optimizer=adam",
        "test_knowledge=train",
        "logger=none",
        "trainer.enable_progress_bar=false",
        f"batches.batch_size={BATCH_SIZE}",
        *model.ours,
        f"learning_rate={model.learning_rate}",
        f"seed={seed}",
        "num_threads=1",
        f"paths.runs_dir={runs}",
        f"paths.cache_dir={runs.parent / 'cache'}",
        "rerun=true",
    ]


def recbole_options(model: Compared, log: Path, seed: int, users_at_once: int) -> dict[str, Any]:
    """RecBole's defaults, but for what is asked for, one device and leave-last-out with full ranking.

    Args:
        model: What to train.
        log: FOLDER/NAME/NAME.inter.
        seed: Of the run.
        users_at_once: Users of a step of Mult-VAE: as many as have `BATCH_SIZE` interactions at the mean, as in ours.
    """
    batch_size = users_at_once if model.rival == "MultiVAE" else BATCH_SIZE
    return {
        "data_path": str(log.parent.parent.resolve()),
        "dataset": log.stem,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "train_batch_size": batch_size,
        **model.theirs,
        "learning_rate": model.learning_rate,
        "seed": seed,
        "use_gpu": False,
        "show_progress": False,
        "metric_decimal_place": 7,
        "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
    }


def digest(pairs: Iterable[tuple[str, str]]) -> str:
    """A hash of pairs of raw user and item ids, whatever their order."""
    lines = "\n".join(sorted(f"{user} {item}" for user, item in pairs))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
