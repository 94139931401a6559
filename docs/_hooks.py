"""Hooks of mkdocs: links that leave docs/ become the path of the file, and a link to no file is an error."""

import logging
import re
from os.path import normpath
from pathlib import Path
from typing import Any

from _config_reference import config_reference
from _notebooks import NOTEBOOKS, page
from _record_reference import record_reference
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")
ORDER = ("index.md", "get_started.md", "Notebooks", "How to", "Reference", "Explanation", "Results")  # then the others
log = logging.getLogger("mkdocs.hooks.docs")


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    files.append(File.generated(config, "reference/configuration.md", content=config_reference(ROOT / "conf")))
    files.append(File.generated(config, "reference/records.md", content=record_reference()))
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=page(path)))
    return files


def on_nav(nav: Navigation, **_: Any) -> Navigation:
    """Put the sections of the site into the order in which they are read."""
    names = [item.file.src_uri if isinstance(item, Page) else item.title for item in nav.items]
    places = {name: ORDER.index(name) if name in ORDER else len(ORDER) for name in names}
    nav.items[:] = [item for _, item in sorted(zip(names, nav.items, strict=True), key=lambda pair: places[pair[0]])]
    return nav


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace links to the repository's other files by their paths, since the site does not hold these files."""
    folder = Path("docs", page.file.src_uri).parent

    def replaced(match: re.Match[str]) -> str:
        target = normpath(folder / match[2])
        if target.startswith("docs/"):
            return match[0]
        if not (ROOT / target).exists():
            log.warning("%s links to '%s', which does not exist.", page.file.src_uri, match[2])
        return f"{match[1]} (`{target}`)"

    return LINK.sub(replaced, markdown)
