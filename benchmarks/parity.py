"""The same recommendation lists, judged by recsys, RecTools, LensKit, ranx and RecBole, metric by metric.

The lists are ItemKNN's ten best items on the embedded data, read by `ranker=lists`: once as they are, and once cut to 1
to 10 items with every tenth user's list left out. Each library has its default settings.

Example:
    python benchmarks/parity.py                # writes the tables of docs/explanation/parity.md
    python benchmarks/parity.py --rivals ranx
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from environments import LENSKIT, RECBOLE, RECTOOLS, Environment
from rival_parity import RIVALS, K
from rival_process import measured

import recsys
from recsys.data.sources.indexing import to_index
from recsys.experiment.finished import Run

ENVIRONMENTS: dict[str, Environment] = {"rectools": RECTOOLS, "lenskit": LENSKIT, "recbole": RECBOLE}
METRICS = ("ndcg", "recall", "precision", "hit_rate", "mrr", "map", "coverage")
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "parity.md"
TOLERANCE = 1e-6
TINY = ["data=synthetic", "data.n_users=60", "data.n_items=80", "data.n_interactions=700"]


def main(argv: list[str] | None = None) -> None:
    """Judge both sets of lists by all libraries; print the tables and write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", nargs="+", choices=list(RIVALS), default=list(RIVALS))
    parser.add_argument("--tiny", action="store_true", help="toy data, to see that it runs; writes nothing")
    arguments = parser.parse_args(argv)
    rivals = [rival for rival in arguments.rivals if not arguments.tiny or is_there(rival)]
    tables = {}
    with tempfile.TemporaryDirectory() as scratch:
        base = [f"paths.runs_dir={scratch}", "trainer.enable_progress_bar=false", *(TINY if arguments.tiny else [])]
        own = recsys.run(["ranker=itemknn", *base])
        whole = recsys.recommend(own, own.split.dataset.users["user_id"].to_list(), K)
        for title, frame in {"Full lists": whole, "Cut and missing lists": shortened(whole)}.items():
            path = Path(scratch) / f"{title.partition(' ')[0]}.parquet"
            frame.write_parquet(path)
            lists = recsys.run(["ranker=lists", f"ranker.name={path.stem}", f"ranker.lists.path={path}", *base])
            tables[title] = judged(lists, frame, rivals, Path(scratch) / "lists.npz")
    text = "\n".join(f"### {title}\n\n{as_markdown(table)}" for title, table in tables.items())
    print(text)
    if not arguments.tiny:
        write_into_page(text)


def is_there(rival: str) -> bool:
    """Whether a library is installed: in an environment of its own, or in ours."""
    return ENVIRONMENTS[rival].is_installed() if rival in ENVIRONMENTS else find_spec(rival) is not None


def shortened(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists of 1 to K items, by turns, without that of every tenth user."""
    number = pl.col("user_id").rank("dense").cast(pl.Int64)
    return frame.filter((number % 10 != 0) & (pl.col("rank") <= 1 + number % K))


def judged(run: Run, frame: pl.DataFrame, rivals: list[str], path: Path) -> dict[str, dict[str, float]]:
    """Values by library and metric."""
    data, test = run.split.dataset, run.split.test
    users, items = (to_index(frame[f"{kind}_id"], getattr(data, f"{kind}s")[f"{kind}_id"]) for kind in ("user", "item"))
    given = {
        "users": users,
        "items": items,
        "ranks": frame["rank"],
        "test_users": test["user"],
        "test_items": test["item"],
    }
    arrays = {name: column.to_numpy().astype(np.int64) for name, column in given.items()}
    contents: dict[str, Any] = {"n_items": np.array(data.n_items), **arrays}
    np.savez(path, **contents)
    values = {"recsys": {name: run.record.metrics[f"test/{name}@{K}"] for name in METRICS}}
    for rival in rivals:
        python = ENVIRONMENTS[rival].python() if rival in ENVIRONMENTS else sys.executable
        figures = measured(python, "rival_parity.py", rival, path)
        values[f"{rival} {figures['version']}"] = figures["means"]
    return values


def as_markdown(table: dict[str, dict[str, float]]) -> str:
    """A column for each library; values that differ from ours are bold."""
    head = f"| metric@{K} | {' | '.join(table)} |\n| --- |{' ---: |' * len(table)}\n"
    return (
        head
        + "\n".join(f"| {name} | {' | '.join(_cell(name, own, table) for own in table)} |" for name in METRICS)
        + "\n"
    )


def _cell(name: str, library: str, table: dict[str, dict[str, float]]) -> str:
    ours, value = table["recsys"][name], table[library].get(name)
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value - ours) <= TOLERANCE else f"**{value:.4f}**"


def write_into_page(text: str) -> None:
    """Put the tables between the page's two markers."""
    begin, end = "<!-- begin: python benchmarks/parity.py -->", "<!-- end -->"
    page = PAGE.read_text()
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", flags=re.DOTALL)
    assert pattern.search(page), f"{PAGE} lacks its markers"
    PAGE.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page))
    print(json.dumps({"written": str(PAGE)}))


if __name__ == "__main__":
    main()
