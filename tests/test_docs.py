"""The documentation site builds without a network, and without a warning."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from full import only_full

ROOT = Path(__file__).parents[1]


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_the_network(tmp_path):
    result = build(ROOT / "mkdocs.yml", tmp_path)
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "how-to" / "studies.html").read_text()
    assert 'src="http' not in page
    assert "fonts.googleapis" not in page
    keys = (tmp_path / "reference" / "configuration.html").read_text()
    assert "regularization" in keys[keys.index("ranker=ease") :]


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "results").glob("*/report.html")), ids=lambda page: page.parent.name
)
def test_each_link_of_a_published_report_leads_somewhere(page):
    text = page.read_text()
    links = re.findall(r'<(?:a|link) [^>]*href="(?!#|https?:|data:|mailto:)([^"]+)"', text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    assert not re.search(r"(?<![\w.:])/(?:home|root|tmp|work|Users)/", text)  # a folder of the machine that made it


@only_full
@pytest.mark.slow
def test_a_link_to_a_missing_page_or_file_fails_the_build(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("[a](absent.md) and [b](index.md#absent) and [c](../absent.md)")
    config = tmp_path / "mkdocs.yml"
    hook = f"hooks: [{ROOT / 'docs' / '_hooks.py'}]"
    config.write_text((ROOT / "mkdocs.yml").read_text().replace("hooks: [docs/_hooks.py]", hook))
    result = build(config, tmp_path / "site")
    assert result.returncode != 0
    for target in ("absent.md", "#absent", "../absent.md"):
        assert target in result.stderr
