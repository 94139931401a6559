"""Seconds and memory of reading, splitting, training and evaluating, from 100 thousand to 25 million interactions.

Each step is a process of its own, so that its peak of memory is its own. The log is synthetic; at the largest size it
has the users and items of ML-25M, and fewer below.

Example:
    python benchmarks/scale.py
    python benchmarks/scale.py --sizes 100000 1000000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import RESULTS, commit, console, machine
from rich.table import Table
from synthetic_log import drawn_pairs

from recsys.support.whole_files import OUTPUT, write_atomically

SIZES, TINY_SIZES = [100_000, 1_000_000, 10_000_000, 25_000_000], [2_000, 8_000]
LARGEST = {"interactions": 25_000_000, "users": 162_000, "items": 62_000}
USER_SKEW, ITEM_SKEW = 0.5, 0.8  # exponents: the weight of the user or item of rank r is r^-skew
STEPS_PER_EPOCH = 500  # batches grow with the data, since Adam moves every item's weights in each step
STEPS = ["read and cache", "load and split", "epoch", "evaluation"]


def main(argv: list[str] | None = None) -> None:
    """Measure each size, print a table, and write the figures and their picture."""
    arguments = _arguments(argv)
    if arguments.child:
        print(json.dumps(CHILDREN[arguments.child](Path(arguments.folder))))
        return
    rows = [_measured(n) for n in (TINY_SIZES if arguments.tiny else arguments.sizes)]
    show(rows)
    if not arguments.tiny:
        _save(rows)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--tiny", action="store_true", help="toy sizes, to see that it runs")
    parser.add_argument("--child", choices=list(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _measured(n_interactions: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        row: dict[str, Any] = write_log(Path(folder) / "log.parquet", n_interactions)
        for child in CHILDREN:
            console.print(f"{n_interactions:,} interactions: {child} …", style="dim")
            command = [sys.executable, __file__, "--child", child, "--folder", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{child} failed on {n_interactions:,} interactions: {done.stderr}")
            row |= json.loads(done.stdout.splitlines()[-1])
    return row


def write_log(path: Path, n_interactions: int, seed: int = 0) -> dict[str, int]:
    """Write distinct (user, item, timestamp) rows with power-law skew, and give their sizes; memory grows with rows."""
    share = n_interactions / LARGEST["interactions"]
    n_users, n_items = round(LARGEST["users"] * share), round(LARGEST["items"] * share**0.5)
    generator = np.random.default_rng(seed)
    users, items = drawn_pairs((n_users, n_items, n_interactions), (USER_SKEW, ITEM_SKEW), generator)
    times = generator.integers(1_000_000_000, 1_315_360_000, n_interactions)
    pl.DataFrame({"user": users, "item": items, "time": times}).write_parquet(path)
    return {"interactions": n_interactions, "users": n_users, "items": n_items}


def _config(folder: Path, *further: str) -> Any:
    import recsys

    log = ["data=table", f"data.path={folder}", "data.interactions.file=log.parquet", "data.interactions.user=user"]
    log += ["data.interactions.item=item", "data.interactions.timestamp=time", "split=leave_last_out"]
    return recsys.compose([*log, f"paths.cache_dir={folder}/cache", f"paths.runs_dir={folder}/runs", *further])


def _timed(name: str, work: Callable[[], Any]) -> dict[str, float]:
    from recsys.tracking.memory import peak_mb

    start = time.perf_counter()
    work()
    return {name: time.perf_counter() - start, f"{name}, MB": peak_mb()}


def _read(folder: Path) -> dict[str, float]:
    from recsys.config.compose import build
    from recsys.data.dataset_cache import load_dataset

    cfg = _config(folder)
    return _timed(STEPS[0], lambda: load_dataset(build("data", cfg.data), Path(cfg.paths.cache_dir)))


def _load(folder: Path) -> dict[str, float]:
    from recsys.experiment.inputs import load_split

    cfg = _config(folder)
    return _timed(STEPS[1], lambda: load_split(cfg))


def _run(folder: Path) -> dict[str, Any]:
    import recsys

    n = pl.scan_parquet(folder / "log.parquet").select(pl.len()).collect().item()
    cell = ["encoder=none", "ranker=cf", "loss=bpr", "trainer.max_epochs=1", "trainer.enable_progress_bar=false"]
    cell += ["test_knowledge=train"]
    batch_size = max(512, n // STEPS_PER_EPOCH)
    cfg = _config(folder, *cell, f"batches.batch_size={batch_size}", "metrics.test=[ndcg@10,recall@10]", "logger=none")
    record = recsys.run(cfg).record
    evaluation = record.times["test"]
    return {
        STEPS[2]: record.times["fit"] - record.times.get("validate", 0.0),
        STEPS[3]: evaluation,
        "epoch, MB": record.peak_memory_mb,
        "test ndcg@10": record.metrics["test/ndcg@10"],
    }


CHILDREN: dict[str, Callable[[Path], dict[str, Any]]] = {"read": _read, "load": _load, "run": _run}


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table with a row for each size."""
    table = Table(title=f"Seconds and peak memory by size; {machine()['processor']}, commit {commit()}")
    table.add_column("interactions", justify="right")
    for step in STEPS:
        table.add_column(step, justify="right")
    for row in rows:
        size = f"{row['interactions']:,}\n{row['users']:,} × {row['items']:,}"
        table.add_row(size, *(_cell(row, step) for step in STEPS))
    console.print(table)


def _cell(row: dict[str, Any], step: str) -> str:
    memory = row.get(f"{step}, MB")
    return f"{row[step]:.2f} s" + ("" if memory is None else f"\n{memory / 1e3:.2f} GB")


def _save(rows: list[dict[str, Any]]) -> None:
    figures = {
        "benchmark": "scale",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "settings": {"dim": 64, "loss": "bpr", "split": "leave_last_out", "steps_per_epoch": STEPS_PER_EPOCH},
        "rows": rows,
    }
    write_atomically(RESULTS / "scale.json", (json.dumps(figures, indent=2) + "\n").encode(), OUTPUT)
    write_atomically(RESULTS / "scale.svg", picture(rows).encode(), OUTPUT)
    console.print(f"written to {RESULTS}/scale.json and scale.svg")


def picture(rows: list[dict[str, Any]]) -> str:
    """Seconds by size as SVG, both axes logarithmic: what is linear rises by one decade for each."""
    import altair as alt
    import vl_convert

    long = [{"interactions": row["interactions"], "seconds": row[step], "step": step} for row in rows for step in STEPS]
    log = alt.Scale(type="log")
    chart = (
        alt.Chart(alt.Data(values=long), width=520, height=320, padding={"left": 5, "top": 5, "bottom": 5, "right": 40})
        .mark_line(point=True)
        .encode(
            x=alt.X("interactions:Q", scale=log, axis=alt.Axis(format="~s")),
            y=alt.Y("seconds:Q", scale=log),
            color=alt.Color("step:N", sort=STEPS),
            shape=alt.Shape("step:N", sort=STEPS, legend=None),
        )
    )
    return vl_convert.vegalite_to_svg(chart.to_json())


if __name__ == "__main__":
    main()
