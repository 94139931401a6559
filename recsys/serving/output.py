"""Recommendations as a table on the screen or in a file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console

from recsys import schema
from recsys.reports.formatting import counted
from recsys.schema import TITLE, ConfigError
from recsys.serving.explaining import Reasons
from recsys.serving.model import Served
from recsys.serving.ranking import Ranking
from recsys.serving.users import ServedUsers
from recsys.support.text_tables import TextTable
from recsys.support.whole_files import OUTPUT, write_atomically
from recsys.tracking.spreadsheet_safety import harmless

RANK, SCORE = "rank", "score"
WHY, BASE, METHOD, PART = "why", "why_base", "why_method", "part"
WORDS = "text"  # replaces the item id of a new user's text
MAX_PRINTED = 20  # users that are printed


def recommendations(
    served: Served, users: ServedUsers, ranking: Ranking, reasons: Reasons | None = None
) -> pl.DataFrame:
    """One row for each recommendation: `user_id`, `rank` (from 1), `item_id`, `title`, `score`.

    With reasons, also `why` (a list of `item_id`, `title` and `part`, the largest part first), `why_base` (null by
    leave-one-out) and `why_method`.
    """
    n_users, top_k = ranking.items.shape
    rows = pl.DataFrame(
        {
            "row": pl.arange(n_users, eager=True).repeat_by(top_k).explode(empty_as_null=False),
            RANK: pl.arange(1, top_k + 1, eager=True).implode().repeat_by(n_users).explode().explode(),
            schema.ITEM: ranking.items.flatten().numpy(),
            SCORE: ranking.scores.flatten().numpy(),
        }
    )
    if reasons is not None:
        rows = rows.with_columns(*_why(served, reasons))
    rows = rows.filter(pl.col(schema.ITEM) >= 0)
    return rows.select(
        users.ids.gather(rows["row"]).alias(schema.USER_ID),
        RANK,
        served.items[schema.ITEM_ID].gather(rows[schema.ITEM]),
        served.titles.gather(rows[schema.ITEM]),
        SCORE,
        *([] if reasons is None else [WHY, BASE, METHOD]),
    )


def _why(served: Served, reasons: Reasons) -> list[pl.Series]:
    """The columns `why`, `why_base` and `why_method` of all positions of a ranking, user by user."""
    n = reasons.items.shape[2]
    items = pl.Series(schema.ITEM, reasons.items.flatten().numpy())
    place = pl.Series("place", np.arange(len(items)) // max(1, n))
    named = pl.DataFrame([place, items, pl.Series(PART, reasons.parts.flatten().numpy())]).filter(items >= 0)
    told = pl.struct(
        served.items[schema.ITEM_ID].gather(named[schema.ITEM]).fill_null(WORDS),
        served.titles.gather(named[schema.ITEM]),
        named[PART],
        eager=True,
    )
    lists = pl.DataFrame([named["place"], told.alias(WHY)]).group_by("place", maintain_order=True).agg(WHY)
    n_places = reasons.items.shape[0] * reasons.items.shape[1]
    every = pl.DataFrame({"place": np.arange(n_places)}).join(lists, on="place", how="left", maintain_order="left")
    why = every.select(pl.coalesce(WHY, pl.lit([], dtype=lists.schema[WHY])).alias(WHY))[WHY]
    base = [None] * n_places if reasons.base is None else reasons.base.flatten().numpy()
    methods = pl.Series(METHOD, [reasons.method]).new_from_index(0, n_places)
    return [why, pl.Series(BASE, base, dtype=pl.Float32), methods.alias(METHOD)]


def check_output(output: str | None) -> None:
    """Raise an error for a file with an unknown format, before anything is computed.

    Raises:
        ConfigError: If the ending is unknown.
    """
    if output is not None and Path(output).suffix not in FILES:
        raise ConfigError(f"output is {output!r}; expected a file that ends in {', '.join(FILES)}, or null.")


def write(frame: pl.DataFrame, output: str, console: Console) -> None:
    """Write recommendations into a file, whose ending is its format.

    Raises:
        RecsysError: If the file cannot be written.
    """
    path = Path(output)
    write_atomically(path, FILES[path.suffix](frame), OUTPUT)
    n_users = frame[schema.USER_ID].n_unique()
    console.print(
        f"{counted(frame.height, 'recommendation')} for {counted(n_users, 'user')}: {path}",
        highlight=False,
        markup=False,
    )


def show(frame: pl.DataFrame, console: Console) -> None:
    """Print the recommendations of the first MAX_PRINTED users, a table for each."""
    groups = frame.partition_by(schema.USER_ID, maintain_order=True)
    for group in groups[:MAX_PRINTED]:
        console.print(_table(group))
    if len(groups) > MAX_PRINTED:
        left = len(groups) - MAX_PRINTED
        console.print(f"{left} more users; output=recommendations.parquet writes all.", highlight=False)


def tell_without_list(frame: pl.DataFrame, users: ServedUsers, console: Console) -> None:
    """Print how many users have no recommendation, since no candidate is left that they do not know."""
    alone = users.ids.filter(~users.ids.is_in(frame[schema.USER_ID].unique().implode()))
    if len(alone):
        text = f"{len(alone)} of {len(users)} users have no recommendation, first {alone[0]!r}: no item is left"
        console.print(text, highlight=False, markup=False)


def _table(frame: pl.DataFrame) -> TextTable:
    reasons = [f"why ({frame[METHOD][0]})"] if WHY in frame.columns else []
    headers, words = [RANK, schema.ITEM_ID, TITLE, SCORE, *reasons], [schema.ITEM_ID, TITLE, *reasons]
    table = TextTable(headers, title=f"user {frame[schema.USER_ID][0]}", words=words)
    for row in frame.iter_rows(named=True):
        why = ["; ".join(f"{part[PART]:+.3f} {part[TITLE]}" for part in row[WHY])] if reasons else []
        table.add(str(row[RANK]), row[schema.ITEM_ID], row[TITLE] or "", f"{row[SCORE]:.4f}", *why)
    return table


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def _csv(frame: pl.DataFrame) -> bytes:
    if WHY in frame.columns:  # csv has no lists
        texts = [json.dumps(why, ensure_ascii=False) for why in frame[WHY].to_list()]
        frame = frame.with_columns(pl.Series(WHY, texts, dtype=pl.String))
    return harmless(frame).write_csv().encode()


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
