"""The table of parts in README.md, generated from the names in conf/: `python docs/_parts_table.py` writes it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"(<!-- parts: begin [^\n]*-->\n).*?(<!-- parts: end -->)", flags=re.DOTALL)
MEANINGS = {
    "data": "the data set ([formats](docs/reference/data_formats.md))",
    "split": "what is held out ([splits](docs/reference/splits.md))",
    "encoder": "item text → vector ([encoders](docs/how-to/encoders.md))",
    "finetune": "the trained part of the encoder ([fine-tuning](docs/how-to/finetuning.md))",
    "features": "vector → item features, with or without a learnt ID ([text features](docs/how-to/text_features.md))",
    "profile": "history → user vector ([profiles](docs/how-to/profiles.md))",
    "ranker": "user and item → score ([published models](docs/reference/published_models.md))",
    "loss": "training loss",
    "negatives": "negative sampling strategy",
    "metrics": "evaluation ([definitions](docs/reference/metrics.md))",
    "optimizer": "optimizer",
    "trainer": "devices and number of epochs, by Lightning",
    "logger": "where the training curves go ([tracking](docs/how-to/tracking.md))",
}


def parts_table(conf: Path) -> str:
    """Markdown: one row for each config group, with its choices."""
    rows = [f"| `{group}` | {' '.join(_choices(conf / group))} | {text} |" for group, text in MEANINGS.items()]
    return "\n".join(["| group | choices | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def with_parts_table(text: str, conf: Path) -> str:
    """The text, with the table between its markers."""
    return MARKED.sub(lambda found: found[1] + parts_table(conf) + found[2], text)


def _choices(folder: Path) -> list[str]:
    return [f"`{path.stem}`" for path in sorted(folder.glob("[!_]*.yaml"))]


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_parts_table(readme.read_text(), ROOT / "conf"))
