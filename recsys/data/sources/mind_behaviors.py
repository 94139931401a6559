"""The impressions of MIND's `behaviors.tsv`: user, time, history, shown news and clicks."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from recsys import schema
from recsys.data.sources.columns import Column, identifier, timestamp
from recsys.data.sources.csv_table import CsvTable
from recsys.data.sources.faults import BadRows
from recsys.data.sources.raw_tables import ROW
from recsys.data.sources.reading import read_columns

NUMBER = "impression_id"  # breaks ties in the order of impressions
UNKNOWN_ITEMS = "impressions with unknown items"
_TIME_FORMAT = "%m/%d/%Y %I:%M:%S %p"
_SLICE = 200_000  # impressions whose lists are parsed at once, to limit memory


def read_behaviors(table: CsvTable, news_ids: pl.Series, bad: BadRows) -> pl.DataFrame:
    """`impression_id`, `user_id`, `timestamp`, `history`, `candidates`, `clicked`; news are indices of `news_ids`.

    Args:
        table: The file.
        news_ids: The ids of all news.
        bad: Collects the rows that cannot be read or name unknown news, which are not in the result.
    """
    labelled = "ids with labels, as in 'N1-0 N2-1' (the leaderboard's test set has none and cannot be used)"
    columns = {
        NUMBER: Column(NUMBER, lambda text: text.fill_null(""), "the impression's number"),
        schema.USER_ID: identifier("user_id"),
        schema.TIMESTAMP: timestamp("time", _TIME_FORMAT),
        schema.HISTORY: Column("history", lambda text: text.fill_null(""), "ids of news between spaces"),
        schema.CANDIDATES: Column("impressions", _labelled, labelled),
    }
    frame = read_columns(table, columns, bad)
    result = pl.concat([_with_lists(part, news_ids) for part in frame.iter_slices(_SLICE)])
    return result.filter(_names_known_news(table, columns, frame, result, news_ids, bad))


def _labelled(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(r"^\S+-[01]( \S+-[01])*$")).then(text)


def _with_lists(frame: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """The strings of ids as lists of item indices (-1 for an unknown item), and the labels as lists of booleans."""

    def places(id_expression: pl.Expr) -> pl.Expr:
        indices = pl.arange(len(ids), dtype=pl.Int32, eager=True)
        return id_expression.replace_strict(ids, indices, default=-1, return_dtype=pl.Int32)

    history, candidates = (pl.col(name).str.split(" ") for name in (schema.HISTORY, schema.CANDIDATES))
    one = pl.element()
    return frame.select(
        NUMBER,
        schema.USER_ID,
        schema.TIMESTAMP,
        history.list.eval(places(one.filter(one != ""))).alias(schema.HISTORY),
        candidates.list.eval(places(one.str.head(-2))).alias(schema.CANDIDATES),
        candidates.list.eval(one.str.ends_with("1")).alias(schema.CLICKED),
    )


def _names_known_news(
    table: CsvTable,
    columns: Mapping[str, Column],
    frame: pl.DataFrame,
    result: pl.DataFrame,
    news_ids: pl.Series,
    bad: BadRows,
) -> pl.Series:
    """Whether all news of each impression are known; impressions with unknown news are added to `bad`."""
    is_known = pl.repeat(True, result.height, dtype=pl.Boolean, eager=True)
    others = pl.all_horizontal([column.parse(pl.col(column.raw)).is_not_null() for column in columns.values()])
    for name in (schema.HISTORY, schema.CANDIDATES):
        is_wrong = is_known & result[name].list.contains(-1)
        is_known &= ~is_wrong
        raw, texts = columns[name].raw, frame[name].filter(is_wrong).unique()
        has_text = pl.col(raw).is_in(texts.implode()).fill_null(False)

        def find(n: int, raw: str = raw, condition: pl.Expr = others & has_text) -> list[tuple[int, str]]:
            rows = table.frame.with_row_index(ROW).filter(condition).select(ROW, raw).head(n + len(table.ragged))
            ragged = set(table.ragged.tolist())
            found = [(row, text) for row, text in table.collect(rows).rows() if row not in ragged]
            return [(row, f"column '{raw}': {_unknown(text, news_ids)}") for row, text in found]

        bad.add(UNKNOWN_ITEMS, int(is_wrong.sum()), find, table.places)
        others &= ~has_text
    return is_known


def _unknown(text: str, known: pl.Series) -> str:
    """The message about a list of ids of which at least one is unknown."""
    named = pl.Series([word.removesuffix("-0").removesuffix("-1") for word in text.split()])
    unknown = named.filter(~named.is_in(known.implode()))[0]
    return f"found {unknown!r}, expected a news_id of news.tsv"
