"""What README and docs tell people to type is there, and composes."""

from __future__ import annotations

import re
import shlex
from itertools import product
from pathlib import Path

import pytest

import recsys
from recsys.commands import registry

ROOT = Path(__file__).parents[1]
GENERATED = {  # made when the site is built
    *(ROOT / "docs" / "reference" / f"{name}.md" for name in ("configuration", "records")),
    *(path.with_suffix(".md") for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")),
}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = ("recsys ", "python scripts/")
EXECUTED = {"add_a_component.md"}  # by tests/test_add_a_component.py
TEXT = {page: page.read_text() for page in PAGES}


def commands() -> list[tuple[str, str]]:
    """(page, command) of each `recsys …` and `python scripts/…` line, continued lines joined."""
    found = []
    for page, text in TEXT.items():
        for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
            lines = block.replace("\\\n", " ").splitlines()
            found += [(page.name, line) for line in lines if line.startswith(COMMANDS) and page.name not in EXECUTED]
    return found


def spread(overrides: list[str]) -> list[list[str]]:
    """The runs of a sweep: each `key=a,b` outside brackets and quotes is one value at a time."""
    choices = []
    for override in overrides:
        key, _, value = override.partition("=")
        is_sweep = "," in value and not set("[{('\"") & set(value)
        choices.append([f"{key}={part}" for part in value.split(",")] if is_sweep else [override])
    return [list(run) for run in product(*choices)]


@pytest.fixture(scope="module")
def own_conf(tmp_path_factory):
    """The yaml that Get started writes for the reader's own data."""
    folder = tmp_path_factory.mktemp("my_conf")
    written = re.search(
        r"cat > my_conf/(\S+) <<'END'\n(.*?)END\n", TEXT[ROOT / "docs" / "get_started.md"], flags=re.DOTALL
    )
    path = folder / written[1]
    path.parent.mkdir()
    path.write_text(written[2])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_composes(page, command, own_conf, monkeypatch):
    if page == "get_started.md":
        monkeypatch.setenv("RECSYS_CONF", str(own_conf))
    _, name, *arguments = shlex.split(command, comments=True)
    if name.startswith("scripts/"):
        assert (ROOT / name).exists()
    name = Path(name).stem
    if name.startswith("-"):  # options of `recsys` itself
        return
    assert name in registry.COMMANDS
    overrides = [word for word in arguments if re.match(r"~|[^-]*=", word)]
    if "<" in command:  # a placeholder such as <run id>
        overrides = [override for override in overrides if "<" not in override]
    for run in spread(overrides) if "-m" in arguments else [overrides]:
        assert recsys.compose(run, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT[page]):
        if not target.startswith("http"):
            assert (page.parent / target).exists() or (page.parent / target).resolve() in GENERATED, target


def test_the_table_of_parts_is_that_of_conf(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    from _parts_table import MEANINGS, with_parts_table

    text = TEXT[ROOT / "README.md"]
    assert with_parts_table(text, ROOT / "conf") == text, "run `python docs/_parts_table.py`"
    assert "| `encoder` |" in text
    assert {"data", "split", "encoder", "profile", "ranker", "loss", "negatives", "metrics"} <= set(MEANINGS)


def test_the_readme_is_short():
    assert len(TEXT[ROOT / "README.md"].splitlines()) <= 150


FIELDS = {"item_id", "text", "categories", "title", "written", "items"}  # of MovieLens's catalogue, texts and prompts


def test_templates_have_fields_that_the_embedded_data_has():
    """A wrong field of `item_text` or `prompt.template` composes, and fails when the data is read."""
    pages = [command for _, command in commands() if "data=" not in command]
    studies = [path.read_text() for path in (ROOT / "conf" / "study").glob("*.yaml")]
    found = [
        (template, field)
        for text in [*pages, *studies]
        for template in re.findall(r"(?:item_text|prompt\.template)=(['\"].*?['\"])(?=[,\s\]]|$)", text, re.MULTILINE)
        for field in re.findall(r"\{(\w+)\}", template)
    ]
    assert len(found) >= 8
    assert [one for one in found if one[1] not in FIELDS] == []
