"""A stranger's tables: dirty rows, a form of times that nobody named, and free text in two columns."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from tiny_runs import TINY_GPT2

WORDS = ["green", "black", "white", "herbal", "iced", "spiced", "smoked"]
KINDS = ["tea", "coffee", "cocoa"]
N_USERS, N_ITEMS, N_SALES = 40, 21, 700
N_DIRTY = 3

SMALL = [
    "encoder=gpt2",
    *TINY_GPT2,
    'common=["trainer.max_epochs=1"]',
]


def sales() -> list[tuple[str, str, str]]:
    """Rows of customer, article and time; the newest time of a pair counts."""
    rng = np.random.default_rng(0)
    start = datetime(2025, 1, 1)
    times = [start + timedelta(minutes=int(minute)) for minute in rng.integers(0, 500_000, N_SALES)]
    users, items = rng.integers(0, N_USERS, N_SALES), rng.integers(0, N_ITEMS, N_SALES)
    return [
        (f"c{user}", f"a{item}", f"{time:%Y-%m-%dT%H:%M}+01:00")
        for user, item, time in zip(users, items, times, strict=True)
    ]


def articles() -> list[tuple[str, str, str]]:
    """Rows of article, name and note."""
    return [
        (f"a{item}", f"{WORDS[item % 7]} {KINDS[item % 3]}", f"best with {WORDS[item % 5]} food")
        for item in range(N_ITEMS)
    ]


def write_shop(folder: Path) -> list[str]:
    """Write both tables as csv; gives overrides that name their files and columns, and nothing else."""
    dirty = ["c1,a1,noon", "c2,a2,", "c3,unknown,2025-02-01T10:00+01:00"]  # two bad times, one item without a row
    lines = ["customer,article,bought", *(",".join(row) for row in sales()), *dirty]
    (folder / "sales.csv").write_text("\n".join(lines))
    (folder / "articles.csv").write_text("\n".join(["article,name,note", *(",".join(row) for row in articles())]))
    return [
        "data=table",
        f"data.path={folder}",
        "data.name=shop",
        "data.interactions.file=sales.csv",
        "data.interactions.user=customer",
        "data.interactions.item=article",
        "data.interactions.timestamp=bought",
        "data.items.file=articles.csv",
        "data.items.id=article",
    ]
