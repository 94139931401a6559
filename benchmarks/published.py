"""Our accuracy beside published values, on public Amazon-2014 (5-core) or MovieLens-1M files.

Every published value is for one held-out item per user and all items as candidates. The table names what else differs.

Example:
    python benchmarks/published.py ~/data/amazon        # a folder with reviews_Beauty_5.json.gz
    python benchmarks/published.py ~/data/ml-1m --models sasrec esasrec --seeds 3
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import recsys

AMAZON = {"beauty": "Beauty", "sports": "Sports_and_Outdoors", "toys": "Toys_and_Games"}  # as in the files' names
METRICS = ("hit_rate@10", "ndcg@10")
SEQUENTIAL = "features.dim=64 batches.max_history={n} profile.max_positions={n} profile.dropout=0.3"
# What chooses each model, where {n} is the number of a user's newest interactions that it reads.
MODELS = {
    "sasrec": f"experiment=sasrec {SEQUENTIAL}",
    "esasrec": f"experiment=esasrec {SEQUENTIAL}",
    "bsarec": f"experiment=bsarec {SEQUENTIAL}",
    "hstu": f"experiment=hstu {SEQUENTIAL}",
    "lightgcn": "ranker=lightgcn ranker.dim=64 loss=bpr negatives=uniform negatives.n_negatives=1",
    "tiger": "experiment=tiger encoder=bert ranker.codes.method=rqvae ranker.codes.n_codes=256 ranker.dim=128 "
    "ranker.n_heads=4 ranker.n_layers=4 batches.max_history={n}",
}
NEED_TEXT = ("tiger",)
SASREC_BCE = "loss=bce negatives.n_negatives=1"
SASREC_SAMPLED = "loss=sampled_softmax negatives.n_negatives=256"
console = Console()


@dataclass(frozen=True)
class Published:
    """A published pair of test metrics.

    Attributes:
        data: The data set.
        model: A key of `MODELS`.
        source: Who published it.
        values: hit rate@10 and nDCG@10.
        overrides: What sets our run to the source's model, separated by spaces.
    """

    data: str
    model: str
    source: str
    values: tuple[float, float]
    overrides: str = ""


PUBLISHED = [
    Published("beauty", "bsarec", "RecBoard", (0.1002, 0.0610)),
    Published("toys", "bsarec", "RecBoard", (0.1078, 0.0663)),
    Published("sports", "bsarec", "RecBoard", (0.0603, 0.0348)),
    Published("beauty", "hstu", "RecBoard", (0.0945, 0.0543)),
    Published("toys", "hstu", "RecBoard", (0.0997, 0.0598)),
    Published("sports", "hstu", "RecBoard", (0.0587, 0.0332)),
    Published("beauty", "sasrec", "RecBoard", (0.0668, 0.0354), SASREC_BCE),
    Published("toys", "sasrec", "RecBoard", (0.0766, 0.0432), SASREC_BCE),
    Published("sports", "sasrec", "RecBoard", (0.0373, 0.0200), SASREC_BCE),
    Published("beauty", "lightgcn", "RecBoard", (0.0480, 0.0242)),
    Published("toys", "lightgcn", "RecBoard", (0.0469, 0.0247)),
    Published("beauty", "tiger", "RecBoard", (0.0698, 0.0385)),
    Published("toys", "tiger", "RecBoard", (0.0703, 0.0387)),
    Published("sports", "tiger", "RecBoard", (0.0391, 0.0206)),
    Published("beauty", "sasrec", "eSASRec", (0.0921, 0.0531), SASREC_SAMPLED),
    Published("beauty", "esasrec", "eSASRec", (0.0928, 0.0523)),
    Published("beauty", "hstu", "eSASRec", (0.0788, 0.0439)),
    Published("ml-1m", "sasrec", "eSASRec", (0.2929, 0.1684), SASREC_SAMPLED),
    Published("ml-1m", "esasrec", "eSASRec", (0.3133, 0.1772)),
    Published("ml-1m", "hstu", "eSASRec", (0.3037, 0.1719)),
    Published("ml-1m", "sasrec", "RecTools", (0.3058, 0.1779)),
    Published("ml-1m", "sasrec", "Meta", (0.2853, 0.1603), SASREC_SAMPLED),
    Published("ml-1m", "hstu", "Meta, large", (0.3294, 0.1893), "profile.n_layers=8"),
]
DIFFERENCES = {
    "RecBoard": "mean of 5 seeds; histories of 50, width 64; its own stopping rule, and perhaps another loss for HSTU; "
    "TIGER is the best of its rows, of other sizes and with another text encoder",
    "eSASRec": "its own width, history length and stopping rule; older items of long histories are not learnt from",
    "RecTools": "full softmax; its own width, history length and stopping rule",
    "Meta": "its own width, number of negatives and stopping rule",
    "Meta, large": "its own width, number of negatives and stopping rule; a bias of the time between interactions",
}
HISTORY = {"ml-1m": 200}  # 50 for the others


def main(argv: list[str] | None = None) -> None:
    """Run the models that have published values on the folder's files, and print both."""
    arguments = _arguments(argv)
    found = files_in(arguments.folder)
    if not found:
        files = ", ".join(f"reviews_{name}_5.json" for name in AMAZON.values())
        raise SystemExit(f"{arguments.folder} has none of {files} (also .gz) and no ratings.dat.")
    rows = [row for row in PUBLISHED if row.data in found and row.model in (arguments.models or [row.model])]
    without = [row for row in rows if row.model in NEED_TEXT and not texts_in(arguments.folder, row.data)]
    for row in without:
        console.print(f"{row.data}, {row.model} is left out: it needs texts, meta_{AMAZON[row.data]}.json (also .gz).")
    rows = [row for row in rows if row not in without]
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        paths = [f"paths.runs_dir={scratch}/runs", f"paths.cache_dir={scratch}/cache"]
        for row in rows:
            texts = texts_in(arguments.folder, row.data) if row.model in NEED_TEXT else []
            overrides = [*settings(row), *found[row.data], *texts, *paths, *arguments.overrides]
            try:
                ours = [_test(overrides, seed) for seed in range(arguments.seeds)]
            except recsys.RecsysError as error:
                raise SystemExit(f"{row.data}, {row.model}: {error}") from error
            results.append((row, np.array(ours)))
    _show(results)
    if arguments.json:
        arguments.json.write_text(json.dumps([_as_json(*result) for result in results], indent=2) + "\n")


def files_in(folder: Path) -> dict[str, list[str]]:
    """Overrides that read each known data set whose files are in a folder, by its name."""
    found = {}
    for name, category in AMAZON.items():
        file = _present(folder, f"reviews_{category}_5.json")
        if file is not None:
            found[name] = ["data=amazon_2014", f"data.path={folder}", f"data.interactions.file={file}"]
    if (folder / "ratings.dat").exists():
        found["ml-1m"] = ["data=movielens", f"data.path={folder}", "data.version=1m"]
    return found


def texts_in(folder: Path, data: str) -> list[str]:
    """Overrides that also read the products' titles and descriptions; none if their file is not there."""
    file = _present(folder, f"meta_{AMAZON[data]}.json")
    return [] if file is None else [f"data.items.file={file}"]


def _present(folder: Path, file: str) -> str | None:
    return next((name for name in (file, f"{file}.gz") if (folder / name).exists()), None)


def settings(row: Published) -> list[str]:
    """Overrides of the protocol and of the model of a published row."""
    return [
        *MODELS[row.model].format(n=HISTORY.get(row.data, 50)).split(),
        *row.overrides.split(),
        "split=leave_last_out",
        "test_knowledge=refit",  # test histories have the validation item, as in all sources
        "learning_rate=0.001",
        "trainer.max_epochs=200",
        "callbacks.early_stopping.patience=10",
        "metrics.val=[ndcg@10]",
        f"metrics.test=[{','.join(METRICS)}]",
        "logger=none",
        "trainer.enable_progress_bar=false",
    ]


def _test(overrides: list[str], seed: int) -> list[float]:
    metrics = recsys.run([*overrides, f"seed={seed}"]).record.metrics
    return [metrics[f"test/{name}"] for name in METRICS]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with the files as published")
    parser.add_argument("--models", nargs="+", choices=sorted({row.model for row in PUBLISHED}), help="default: all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--overrides", nargs="*", default=[], help="settings of all runs, such as trainer.max_epochs=5")
    return parser.parse_args(argv)


def _show(results: list[tuple[Published, Any]]) -> None:
    table = Table("data", "model", "source", *(f"{name}, {side}" for name in METRICS for side in ("ours", "published")))
    for row, ours in results:
        pairs = zip(ours.mean(axis=0), row.values, strict=True)
        figures = [f"{value:.4f}" for pair in pairs for value in pair]
        table.add_row(row.data, row.model, row.source, *figures)
    console.print(table)
    console.print("Ours is fitted once more on train and validation before the test; no source does this.")
    console.print("Our HSTU has no bias of the time between interactions; the sources' may have it.")
    for source in sorted({row.source for row, _ in results}):
        console.print(f"{source} differs from ours: {DIFFERENCES[source]}.")


def _as_json(row: Published, ours: Any) -> dict[str, Any]:
    published = dict(zip(METRICS, row.values, strict=True))
    return {"data": row.data, "model": row.model, "source": row.source, "published": published,
            "ours by seed": [dict(zip(METRICS, map(float, seed), strict=True)) for seed in ours],
            "differences": DIFFERENCES[row.source]}  # fmt: skip


if __name__ == "__main__":
    main()
