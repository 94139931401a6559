"""Formatting of numbers and of lists of labels."""

from __future__ import annotations

import re
from collections.abc import Sequence

ABSENT = "–"
_NAMES = {"ndcg": "nDCG", "map": "MAP", "mrr": "MRR", "auc": "AUC", "mind_mrr": "MIND MRR", "hit_rate": "hit rate"}


def metric_name(metric: str) -> str:
    """A metric's name as written in papers.

    Example:
        >>> metric_name("ndcg@10"), metric_name("val/average_popularity@5"), metric_name("sampled_ndcg@10")
        ('nDCG@10', 'average popularity@5 (val)', 'sampled nDCG@10')
    """
    stage, _, name = metric.rpartition("/")
    base, at, k = name.partition("@")
    sampled = "sampled " if base.startswith("sampled_") else ""
    base = base.removeprefix("sampled_")
    text = f"{sampled}{_NAMES.get(base, base.replace('_', ' '))}{at}{k}"
    return f"{text} ({stage})" if stage not in ("", "test") else text


def axis_title(metric: str) -> str:
    """A metric's name with its stage, for an axis.

    Example:
        >>> axis_title("ndcg@10"), axis_title("val/ndcg@10")
        ('nDCG@10 on the test', 'nDCG@10 (val)')
    """
    name = metric_name(metric)
    return name if name.endswith(")") else f"{name} on the test"


def number(value: float | None, signed: bool = False) -> str:
    """A number with four decimals, or two from ten on, with a true minus sign and without negative zero.

    Example:
        >>> number(0.12345), number(-0.5, signed=True), number(123.456), number(None), number(-0.0)
        ('0.1235', '−0.5000', '123.46', '–', '0.0000')
    """
    if value is None or value != value:
        return ABSENT
    text = f"{value:{'+' if signed else ''}z.{2 if abs(value) >= 10 else 4}f}"
    return text.replace("-", "−")


def interval(low: float | None, high: float | None, signed: bool = False) -> str:
    """An interval with a no-break space inside; "" if it is None.

    Example:
        >>> interval(0.1, 0.2).replace("\\N{NO-BREAK SPACE}", " ")
        '[0.1000, 0.2000]'
    """
    return "" if low is None else f"[{number(low, signed)},\N{NO-BREAK SPACE}{number(high, signed)}]"


def with_interval(value: float, low: float | None, high: float | None, signed: bool = False) -> str:
    """A value with its interval."""
    return f"{number(value, signed)} {interval(low, high, signed)}".rstrip()


def p_value(p: float | None) -> str:
    """A p-value.

    Example:
        >>> p_value(0.00001), p_value(0.00042), p_value(0.0312), p_value(1.0)
        ('<0.0001', '0.0004', '0.031', '1.000')
    """
    if p is None:
        return ABSENT
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"


def p_equals(p: float | None) -> str:
    """A p-value in a sentence.

    Example:
        >>> p_equals(0.00001), p_equals(0.0312)
        ('p < 0.0001', 'p = 0.031')
    """
    text = p_value(p)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def counted(n: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1.

    Example:
        >>> counted(1, "epoch"), counted(20, "epoch")
        ('1 epoch', '20 epochs')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def all_of(n: int, noun: str) -> str:
    """All of a number of things, in the words for one of them if it is 1.

    Example:
        >>> all_of(6, "pair"), all_of(1, "pair")
        ('all 6 pairs', 'the one pair')
    """
    return f"the one {noun}" if n == 1 else f"all {counted(n, noun)}"


def listed(labels: Sequence[str], most: int = 4) -> str:
    """The first labels, and the number of the others.

    Example:
        >>> listed(["a", "b"]), listed(["a", "b", "c"], most=1)
        ('a, b', 'a and 2 more')
    """
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"{', '.join(labels[:most])}{more}"


def count(value: float | None) -> str:
    """A count, with a unit from 1000 on.

    Example:
        >>> count(950), count(45_230), count(22_700_000)
        ('950', '45 k', '23 M')
    """
    if value is None:
        return ABSENT
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.{1 if value < 10 * size else 0}f}{unit}"
    return f"{value:.0f}"


def seconds(value: float | None) -> str:
    """A time, given in seconds.

    Example:
        >>> seconds(0.0312), seconds(3.21), seconds(75), seconds(600), seconds(9000)
        ('0.03 s', '3.2 s', '75 s', '10.0 min', '2.5 h')
    """
    if value is None:
        return ABSENT
    if value < 120:
        return f"{value:.{2 if value < 1 else 1 if value < 10 else 0}f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def percent(share: float) -> str:
    """A share in per cent, with all its digits.

    Example:
        >>> percent(0.95), percent(0.975)
        ('95%', '97.5%')
    """
    return f"{share * 100:g}%"


def megabytes(value: float | None) -> str:
    """An amount of memory, given in MB.

    Example:
        >>> megabytes(812.3), megabytes(1530)
        ('812 MB', '1.5 GB')
    """
    if value is None:
        return ABSENT
    return f"{value:.0f} MB" if value < 1000 else f"{value / 1000:.1f} GB"


def times(value: float) -> str:
    """A ratio with at least two significant digits.

    Example:
        >>> times(1.0), times(0.052), times(128.4)
        ('1.0 times', '0.052 times', '128 times')
    """
    return f"{value:.{0 if value >= 10 else 1}f} times" if value >= 1 else f"{value:.2g} times"


def safe_markdown(text: str) -> str:
    r"""Running text on one line of markdown, with HTML, pictures and links escaped.

    Example:
        >>> safe_markdown("<img src=x>, p < 0.05 and [a](b)")
        '\\<img src=x>, p < 0.05 and [a]\\(b)'
    """
    line = " ".join(text.splitlines())
    line = re.sub(r"(?<!\\)((?:\\\\)*)<(?=[A-Za-z/!?])", r"\1\\<", line)
    return line.replace("![", r"!\[").replace("](", r"]\(")
