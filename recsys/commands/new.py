"""Make a project folder: data, configs, a study, an encoder, its test, a notebook.

Replace its sample data by yours.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

import polars as pl
from omegaconf import DictConfig

from recsys.schema import ITEM, TEXT, TIMESTAMP, USER, ConfigError
from recsys.support.screen import Screen
from recsys.support.whole_files import write_atomically

EXAMPLES = (
    "recsys new my_shop",
    "recsys new path=projects/my_shop",
)
TEMPLATE = Path(__file__).parent / "project"
NAMED_BY_PROJECT = "data.yaml"  # becomes the choice `data=<name>`


def run(cfg: DictConfig) -> None:
    """Write the folder.

    Raises:
        ConfigError: If its name cannot be an option of `data`, or the folder is not empty.
        StoreError: If it cannot be written.
    """
    folder = Path(str(cfg.path)).expanduser()
    name = folder.absolute().name
    if not (isinstance(cfg.path, str) and name.isascii() and name.isidentifier()):
        raise ConfigError(f"path is {cfg.path!r}; expected a folder whose name has only letters, digits and _.")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ConfigError(f"path is {str(cfg.path)!r}, which exists already; expected a new or empty folder.")
    for path, content in {**_files(name), **_sample_data()}.items():
        write_atomically(folder / path, content.encode(), "path")
    Screen().print(f"{folder} is created; see its README.md. Next:")
    for line in (f"cd {folder}", ". ./env.sh", f"recsys prepare_data data={name}", "recsys study study=first"):
        Screen().print(f"  {line}", soft_wrap=True)


def _files(name: str) -> dict[Path, str]:
    """The template's files with the project's name; `.py.txt` files, which nothing imports, become `.py` files."""
    made = {}
    for path in sorted(TEMPLATE.rglob("*")):
        if path.is_file():
            target = path.relative_to(TEMPLATE)
            target = target.with_name(f"{name}.yaml") if target.name == NAMED_BY_PROJECT else target
            target = target.with_suffix("") if target.suffixes == [".py", ".txt"] else target
            made[target] = Template(path.read_text(encoding="utf-8")).substitute(name=name)
    return made


def _sample_data() -> dict[Path, str]:
    """A small synthetic shop: topics determine the purchases and the words of the products' descriptions."""
    from recsys.data.sources.synthetic import SyntheticSource

    shop = SyntheticSource(n_users=150, n_items=80, n_interactions=2500, n_topics=4).read()
    time = pl.from_epoch(pl.col(TIMESTAMP), time_unit="us").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    purchases = shop.interactions.sort(TIMESTAMP, USER, ITEM).select(
        pl.format("c{}", USER).alias("customer"), pl.format("p{}", ITEM).alias("sku"), time.alias("time")
    )
    words = pl.col(TEXT).str.split(" ")
    products = shop.items.select(
        pl.format("p{}", pl.int_range(pl.len())).alias("sku"),
        words.list.head(2).list.join(" ").alias("name"),
        words.list.slice(2).list.join(" ").alias("description"),
    )
    return {
        Path("data", "purchases.csv"): purchases.write_csv(),
        Path("data", "products.csv"): products.write_csv(),
    }
