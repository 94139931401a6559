"""Make semantic IDs of items from an encoder's vectors, and report their quality.

A semantic ID is a sequence of codes. The codebooks are fitted on the train items; other items get the nearest codes.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.console import Console

from recsys.commands.next_steps import of_data, print_header, print_next_steps
from recsys.config.compatibility import check_data, has_text
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole
from recsys.support.screen import Screen
from recsys.support.whole_files import OUTPUT, write_atomically

if TYPE_CHECKING:
    from recsys.serving.code_quality import CodeQuality

EXAMPLES = (
    "recsys semantic_ids encoder=bert output=codes.parquet",
    "recsys semantic_ids encoder=tfidf codes.method=rqvae codes.n_codes=256",
)


def run(cfg: DictConfig, console: Console | None = None) -> None:
    """Write the codes, and print the report.

    Raises:
        ConfigError: If the configuration is impossible.
        DataError: If the data is malformed.
    """
    _check(cfg)
    console = console or Screen(soft_wrap=True)
    print_header(
        console,
        f"semantic IDs of {cfg.choices.data}, split {cfg.choices.split}: encoder={cfg.choices.encoder}, "
        f"{cfg.codes.n_levels} levels of {cfg.codes.n_codes} codes",
    )
    from recsys.serving.code_table import semantic_id_table

    table, quality = semantic_id_table(cfg)
    buffer, path = BytesIO(), Path(cfg.output).expanduser()
    table.write_parquet(buffer)
    write_atomically(path, buffer.getvalue(), OUTPUT)
    for line in [*report(quality, cfg.codes.n_codes), f"Written: {path}"]:
        console.print(line, highlight=False, markup=False)
    own = [*of_data(cfg), f"encoder={cfg.choices.encoder}"]
    print_next_steps(console, cfg, ["train", *own, "features=semantic_ids"], ["train", *own, "ranker=generative"])


def report(quality: CodeQuality, n_codes: int) -> list[str]:
    """The lines of the report."""
    n, colliding = quality.n_items, quality.n_colliding
    lines = [
        f"Level {level}: {used:,} of {n_codes:,} codes used, entropy {entropy:.2f} bits"
        for level, (used, entropy) in enumerate(zip(quality.used, quality.entropy, strict=True), start=1)
    ]
    lines.append(f"Collisions: {colliding:,} of {n:,} items ({colliding / n:.1%}) share all codes with another item")
    if colliding:
        lines.append(
            f"The column extra_code distinguishes them: 0 to {quality.largest_group - 1} in the largest group of items"
        )
    if quality.neighbours_kept is not None:
        lines.append(
            f"Neighbours kept: {quality.neighbours_kept:.1%} of the {quality.k} nearest items by vector are among the "
            f"{quality.k} nearest by codes"
        )
    return lines


def _check(cfg: DictConfig) -> None:
    check_data(cfg)
    if not has_text(cfg):
        raise ConfigError(
            f"encoder={cfg.choices.encoder} makes no vectors, and semantic IDs are computed from vectors: choose "
            "encoder=bert, tfidf, or another encoder."
        )
    for key in ("n_neighbours", "n_sampled"):
        check_whole(key, cfg[key], 1)
    if Path(str(cfg.output)).suffix != ".parquet":
        raise ConfigError(f"output is {cfg.output!r}; expected a file that ends in .parquet.")
