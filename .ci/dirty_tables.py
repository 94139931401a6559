"""Write the tables of a stranger's shop: dirty rows, dates that no key describes, and free text in two columns."""

from __future__ import annotations

import random
import sys
from datetime import date, timedelta
from pathlib import Path

WORDS, KINDS = ["green", "black", "white", "herbal", "iced", "spiced", "smoked"], ["tea", "coffee", "cocoa"]
DIRTY = ["c1,a1,noon", "c2,a2,", "c3,unknown,01.02.2025"]

folder = Path(sys.argv[1])
folder.mkdir()
chance = random.Random(0)
days = [date(2025, 1, 1) + timedelta(days=chance.randrange(365)) for _ in range(700)]
sales = [f"c{chance.randrange(40)},a{chance.randrange(21)},{day:%d.%m.%Y}" for day in days]
articles = [f"a{n},{WORDS[n % 7]} {KINDS[n % 3]},best with {WORDS[n % 5]} food" for n in range(21)]
(folder / "sales.csv").write_text("\n".join(["customer,article,bought", *sales, *DIRTY]) + "\n")
(folder / "articles.csv").write_text("\n".join(["article,name,note", *articles]) + "\n")
