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

AMAZON = {"beauty": "reviews_Beauty_5.json", "sports": "reviews_Sports_and_Outdoors_5.json",
          "toys": "reviews_Toys_and_Games_5.json"}  # fmt: skip
METRICS = ("hit_rate@10", "ndcg@10")
SASREC_SAMPLED = "loss=sampled_softmax negatives.n_negatives=256"
console = Console()


@dataclass(frozen=True)
class Published:
    """A published pair of test metrics.

    Attributes:
        data: The data set.
        model: The name of one of our experiments.
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
    Published("beauty", "sasrec", "RecBoard", (0.0668, 0.0354), "loss=bce negatives.n_negatives=1"),
    Published("toys", "sasrec", "RecBoard", (0.0766, 0.0432), "loss=bce negatives.n_negatives=1"),
    Published("sports", "sasrec", "RecBoard", (0.0373, 0.0200), "loss=bce negatives.n_negatives=1"),
    Published("beauty", "sasrec", "eSASRec", (0.0921, 0.0531), SASREC_SAMPLED),
    Published("beauty", "esasrec", "eSASRec", (0.0928, 0.0523)),
    Published("beauty", "hstu", "eSASRec", (0.0788, 0.0439)),
    Published("ml-1m", "sasrec", "eSASRec", (0.2929, 0.1684), SASREC_SAMPLED),
    Published("ml-1m", "esasrec", "eSASRec", (0.3133, 0.1772)),
    Published("ml-1m", "hstu", "eSASRec", (0.3037, 0.1719)),
    Published("ml-1m", "sasrec", "RecTools", (0.3058, 0.1779)),
]
DIFFERENCES = {
    "RecBoard": "mean of 5 seeds; histories of 50, width 64; its own stopping rule, and perhaps another loss for HSTU",
    "eSASRec": "its own width, history length and stopping rule; older items of long histories are not learnt from",
    "RecTools": "full softmax; its own width, history length and stopping rule",
}
HISTORY = {"ml-1m": 200}  # 50 for the others


def main(argv: list[str] | None = None) -> None:
    """Run the models that have published values on the folder's files, and print both."""
    arguments = _arguments(argv)
    found = files_in(arguments.folder)
    if not found:
        raise SystemExit(f"{arguments.folder} has none of {', '.join(AMAZON.values())} (also .gz) and no ratings.dat.")
    rows = [row for row in PUBLISHED if row.data in found and row.model in (arguments.models or [row.model])]
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        paths = [f"paths.runs_dir={scratch}/runs", f"paths.cache_dir={scratch}/cache"]
        for row in rows:
            overrides = [*settings(row), *found[row.data], *paths, *arguments.overrides]
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
    for name, file in AMAZON.items():
        path = next((path for path in (folder / file, folder / f"{file}.gz") if path.exists()), None)
        if path is not None:
            found[name] = ["data=amazon_2014", f"data.path={folder}", f"data.interactions.file={path.name}"]
    if (folder / "ratings.dat").exists():
        found["ml-1m"] = ["data=movielens", f"data.path={folder}", "data.version=1m"]
    return found


def settings(row: Published) -> list[str]:
    """Overrides of the protocol and of the model of a published row."""
    return [
        f"experiment={row.model}",
        *row.overrides.split(),
        "split=leave_last_out",
        "test_knowledge=refit",  # test histories have the validation item, as in all sources
        "features.dim=64",
        f"batches.max_history={HISTORY.get(row.data, 50)}",
        f"profile.max_positions={HISTORY.get(row.data, 50)}",
        "learning_rate=0.001",
        "profile.dropout=0.3",
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
