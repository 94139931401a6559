"""A comparison as csv, with numbers in full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from recsys.reports.comparison import Comparison, Row
from recsys.reports.grids import Grid
from recsys.reports.tables import segment_scores_grid
from recsys.tracking.record import data_name
from recsys.tracking.spreadsheet_safety import harmless_text

_DIFFERENCE = (
    *("mean", "low", "high", "low_with_seeds", "high_with_seeds"),
    *("p_users", "p_with_seeds", "p_corrected", "effect_size"),
)


def to_csv(comparison: Comparison) -> str:
    """One line for each cell, with all numbers in full precision; missing values are empty."""
    lines = [_csv_line(row, comparison) for row in comparison.rows]
    return _csv([list(lines[0]), *(list(line.values()) for line in lines)])


def pairs_to_csv(comparison: Comparison) -> str:
    """One line for each pair and metric, with all numbers in full precision; missing values are empty."""
    lines = [
        [metric, pair.a, pair.b, *(getattr(pair.difference, name) for name in _DIFFERENCE)]
        for metric in comparison.metrics
        for pair in comparison.pairs(metric)
    ]
    return _csv([["metric", "a", "b", *_DIFFERENCE], *lines])


def segments_to_csv(comparison: Comparison) -> str:
    """One line for each cell and segment, with all numbers in full precision; missing values are empty."""
    grid = segment_scores_grid(comparison)
    lines = ([*(entry.text for entry in row[:2]), *(entry.value for entry in row[2:])] for row in grid.rows)
    return _csv([grid.headers, *lines])


def grid_to_csv(grid: Grid) -> str:
    """A table with numbers in full precision, if they are known, and otherwise its texts."""
    lines = ([entry.text if entry.value is None else entry.value for entry in row] for row in grid.rows)
    return _csv([grid.headers, *lines])


def _csv(lines: Iterable[Sequence[object]]) -> str:
    """Lines as csv, in which texts that a spreadsheet would evaluate as formulas are escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([harmless_text(cell) if isinstance(cell, str) else cell for cell in line] for line in lines)
    return text.getvalue()


def _csv_line(row: Row, comparison: Comparison) -> dict[str, object]:
    line: dict[str, object] = {"label": row.label, "name": row.cell.name}
    line |= {group: row.cell.choices.get(group) for group in ("data", "split", "encoder", "profile", "ranker", "loss")}
    line["data"] = data_name(row.cell.records[0])  # that of the shop's own data instead of "table"
    line |= {"seeds": " ".join(map(str, row.cell.seeds)), "n_users": comparison.n_users}
    for metric, score in row.scores.items():
        line |= {metric: score.mean, f"{metric}_low": score.low, f"{metric}_high": score.high}
        line |= {f"{metric}_seed_sd": score.seed_sd, f"{metric}_low_with_seeds": score.low_with_seeds}
        line[f"{metric}_high_with_seeds"] = score.high_with_seeds
        for key in _DIFFERENCE:
            line[f"{metric}_difference_{key}"] = None if score.difference is None else getattr(score.difference, key)
    cost = row.cost
    line |= {"trained_weights": cost.trainable, "all_weights": cost.total, "encode_seconds": cost.encode}
    return line | {
        "train_seconds": cost.train,
        "test_seconds": cost.test,
        "peak_memory_mb": cost.peak_mb,
        "epochs": cost.epochs,
        "run_ids": " ".join(row.cell.run_ids),
    }
