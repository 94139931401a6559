r"""The table of results for a paper, with all metrics side by side, in LaTeX."""

from __future__ import annotations

from recsys.reports.comparison import Comparison, Row
from recsys.reports.corrections import NAMES
from recsys.reports.formatting import metric_name, number, percent
from recsys.reports.grids import escape_latex, latex_row
from recsys.reports.scores import Score, ends_of
from recsys.reports.tables import has_intervals


def paper_table(comparison: Comparison, caption: str, label: str = "tab:comparison") -> str:
    r"""A booktabs table with mean ± half of the interval; it needs the packages booktabs and graphicx.

    A table that is wider than `\linewidth` is scaled down to it. The best value of a column is bold. An asterisk marks
    a significant difference from the baseline, and letters refer to notes below the table.

    Args:
        comparison: The comparison, whose metrics are the columns.
        caption: Caption of the table.
        label: LaTeX label of the table.
    """
    head = latex_row(["", *(escape_latex(metric_name(metric)) for metric in comparison.metrics)])
    lines = [
        r"% needs \usepackage{booktabs} and \usepackage{graphicx}",
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{{label}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{@{{}}l{'r' * len(comparison.metrics)}@{{}}}}",
        r"\toprule",
        head,
        r"\midrule",
        *(_row(row, comparison) for row in comparison.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        rf"\par\smallskip\parbox{{\linewidth}}{{\footnotesize {escape_latex(_note(comparison))}}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(row: Row, comparison: Comparison) -> str:
    letters = comparison.unequal.markers(row.label)
    name = escape_latex(row.label) + (rf"\textsuperscript{{{letters}}}" if letters else "")
    return latex_row([name, *(_value(row, metric, comparison) for metric in comparison.metrics)])


def _value(row: Row, metric: str, comparison: Comparison) -> str:
    r"""A value in LaTeX, as in `\textbf{0.1234}$^{*}_{\pm 0.0120}$`."""
    score = row.scores[metric]
    mean, half = escape_latex(number(score.mean)), _half(score)
    text = rf"\textbf{{{mean}}}" if row.label in comparison.leaders(metric) else mean
    above = "^{*}" if comparison.is_significant(score.difference) else ""
    below = "" if half is None else rf"_{{\pm {number(half)}}}"
    return f"{text}${above}{below}$" if above or below else text


def _half(score: Score) -> float | None:
    low, high = ends_of(score)
    return None if low is None or high is None else (high - low) / 2


def _note(comparison: Comparison) -> str:
    seeds, inference = len(comparison.seeds), comparison.inference
    of_users = f"{percent(comparison.level)} interval over users{' and seeds' if seeds > 1 else ''}"
    half = f", ± half the {of_users}" if has_intervals(comparison) else ""
    parts = [f"Mean over {comparison.n_users} users and {seeds} seed{'s' if seeds > 1 else ''}{half}; best in bold."]
    n = max(map(comparison.n_comparisons, comparison.metrics))
    if comparison.baseline is not None and n:
        parts.append(
            f"* differs from {comparison.baseline} with p < {inference.alpha:g} ({comparison.test_name}; "
            f"{NAMES[inference.correction]}-corrected for {n} comparison{'s' if n > 1 else ''} of a metric)."
        )
    found = comparison.unequal
    parts += [f"{letter}: {text}." for text, letter in found.letters.items()]
    return " ".join(parts)
