"""Recommendations as a table: on the screen, or in a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from recsys import schema
from recsys.schema import ConfigError
from recsys.serving.ranking import Ranking
from recsys.serving.served import TITLE, Served
from recsys.serving.users import Users
from recsys.tracking.files import write_atomically

RANK, SCORE = "rank", "score"
MAX_PRINTED = 20  # users on the screen


def recommendations(served: Served, users: Users, ranking: Ranking) -> pl.DataFrame:
    """One row for each recommendation: `user_id`, `rank` (from 1), `item_id`, `title`, `score`."""
    n_users, top_k = ranking.items.shape
    rows = pl.DataFrame(
        {
            "row": pl.arange(n_users, eager=True).repeat_by(top_k).explode(empty_as_null=False),
            RANK: pl.arange(1, top_k + 1, eager=True).implode().repeat_by(n_users).explode().explode(),
            schema.ITEM: ranking.items.flatten().numpy(),
            SCORE: ranking.scores.flatten().numpy(),
        }
    )
    rows = rows.filter(pl.col(schema.ITEM) >= 0)
    return rows.select(
        users.ids.gather(rows["row"]).alias(schema.USER_ID),
        RANK,
        served.items[schema.ITEM_ID].gather(rows[schema.ITEM]),
        served.titles.gather(rows[schema.ITEM]),
        SCORE,
    )


def check_output(output: str | None) -> None:
    """Refuse a file whose format is unknown, before anything is computed.

    Raises:
        ConfigError: If the ending is unknown.
    """
    if output is not None and Path(output).suffix not in FILES:
        raise ConfigError(f"output is {output!r}; expected a file that ends in {', '.join(FILES)}, or null.")


def write(frame: pl.DataFrame, output: str, console: Console) -> None:
    """Write recommendations into a file, in the format of its ending."""
    path = Path(output)
    write_atomically(path, FILES[path.suffix](frame))
    n_users = frame[schema.USER_ID].n_unique()
    console.print(f"{frame.height} recommendations for {n_users} users: {path}", highlight=False, markup=False)


def show(frame: pl.DataFrame, console: Console) -> None:
    """Print recommendations, a table for each of the first users."""
    groups = frame.partition_by(schema.USER_ID, maintain_order=True)
    for group in groups[:MAX_PRINTED]:
        console.print(_table(group))
    if len(groups) > MAX_PRINTED:
        left = len(groups) - MAX_PRINTED
        console.print(f"{left} more users; output=recommendations.parquet writes all.", highlight=False)


def _table(frame: pl.DataFrame) -> Table:
    table = Table(title=f"user {frame[schema.USER_ID][0]}", title_justify="left")
    for column in (RANK, schema.ITEM_ID, TITLE, SCORE):
        table.add_column(column, justify="right" if column in (RANK, SCORE) else "left")
    for rank, item_id, title, score in frame.select(RANK, schema.ITEM_ID, TITLE, SCORE).iter_rows():
        table.add_row(str(rank), item_id, title, f"{score:.4f}")
    return table


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv().encode()


def _json(frame: pl.DataFrame) -> bytes:
    return frame.write_json().encode()


def _json_lines(frame: pl.DataFrame) -> bytes:
    return frame.write_ndjson().encode()


FILES: dict[str, Callable[[pl.DataFrame], bytes]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _json_lines,
}
