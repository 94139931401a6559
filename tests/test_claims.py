"""What README and docs conclude from a study is what the study's own tests say.

A sentence that compares cells ends in a comment that a reader of the page does not see:
`<!-- claim NAME METRIC: A > B, C ~ D -->`. NAME is a folder of docs/results; `>` is significantly higher (p < 0.05,
corrected for all pairs of the study) and `~` is not significantly different. The paragraph or list item names each of
these cells as code, and each number in it (such as .1234) is a mean, a difference or an interval's end of theirs.

Each number with four digits of README and a results page is in a stored table, or in a comment
`<!-- measured apart: .1234 -->` of the page.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
CLAIM = re.compile(r"<!-- claim (\S+) (\S+): (.+?) -->", flags=re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])[+−-]?0?(\.\d{3,4})(?!\d)")
ALPHA = 0.05


@dataclass(frozen=True)
class Claim:
    page: str
    paragraph: str
    study: str
    metric: str
    relations: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        return f"{self.page}: {self.study} {self.metric}"


def claims_of(page: str, text: str) -> list[Claim]:
    found = []
    for paragraph in re.split(r"\n\s*\n|\n(?=- )", text):
        for study, metric, said in CLAIM.findall(paragraph):
            relations = tuple(relation_of(each) for each in " ".join(said.split()).split(", "))
            found.append(Claim(page, CLAIM.sub("", paragraph), study, metric, relations))
    return found


def relation_of(text: str) -> tuple[str, str, str]:
    a, sign, b = re.fullmatch(r"(.+) ([>~]) (.+)", text).groups()
    return a, sign, b


def pairs(study: str, metric: str) -> dict[tuple[str, str], dict[str, float]]:
    """All numbers by pair of cells, either way round; `difference` is that of the first from the second."""
    found = {}
    for line in lines(study, "pairs.csv"):
        if line["metric"] == metric:
            numbers = {name: float(line[name]) for name in line if name not in ("metric", "a", "b") and line[name]}
            found[line["a"], line["b"]] = numbers | {"difference": numbers["mean"]}
            found[line["b"], line["a"]] = numbers | {"difference": -numbers["mean"]}
    return found


def scores(study: str, metric: str) -> dict[str, list[float]]:
    """A cell's mean and its intervals' ends."""
    names = [metric, *(f"{metric}_{end}" for end in ("low", "high", "low_with_seeds", "high_with_seeds"))]
    return {
        line["label"]: [float(line[name]) for name in names if line.get(name)] for line in lines(study, "table.csv")
    }


def lines(study: str, file: str) -> list[dict[str, str]]:
    with (RESULTS / study / file).open() as stream:
        return list(csv.DictReader(stream))


def faults(claim: Claim) -> list[str]:
    """What of a claim its study does not say; empty for a true one."""
    said, tested, known = [], pairs(claim.study, claim.metric), scores(claim.study, claim.metric)
    for a, sign, b in claim.relations:
        said += [f"the paragraph does not name `{cell}`" for cell in (a, b) if f"`{cell}`" not in claim.paragraph]
        pair = tested.get((a, b))
        if pair is None:
            said.append(f"{claim.study} has no pair of {a} and {b}")
        elif (sign == ">") != (pair["p_corrected"] < ALPHA and pair["difference"] > 0) or (
            sign == "~" and pair["p_corrected"] < ALPHA
        ):
            said.append(
                f"{a} {sign} {b}, but the difference is {pair['difference']:+.4f}, p = {pair['p_corrected']:.4f}"
            )
    cells = {cell for a, _, b in claim.relations for cell in (a, b)}
    there = [number for cell in cells for number in known.get(cell, [])]
    there += [number for both, numbers in tested.items() if set(both) <= cells for number in numbers.values()]
    for number in NUMBER.findall(claim.paragraph):
        digits = len(number) - 1
        if not any(f"{abs(value):.{digits}f}".lstrip("0") == number for value in there):
            said.append(f"{number} is no result of these cells")
    return said


def claims() -> list[Claim]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [claim for page in pages for claim in claims_of(page.relative_to(ROOT).as_posix(), page.read_text())]


@pytest.mark.parametrize("claim", claims(), ids=str)
def test_a_study_says_what_is_concluded_from_it(claim):
    assert faults(claim) == []


def test_readme_concludes_something():
    assert any(claim.page == "README.md" for claim in claims())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("`a` (.3000) beats `b` (.1000). <!-- claim toy m: a > b -->", None),
        ("`b` and `c` do not differ, by .0100. <!-- claim toy m: b ~ c -->", None),
        ("`b` beats `a`. <!-- claim toy m: b > a -->", "b > a, but"),
        ("`a` equals `b`. <!-- claim toy m: a ~ b -->", "a ~ b, but"),
        ("`c` beats `b`. <!-- claim toy m: c > b -->", "c > b, but"),
        ("The best beats `b`. <!-- claim toy m: a > b -->", "does not name `a`"),
        ("`a` beats `b` with .4000. <!-- claim toy m: a > b -->", ".4000 is no result"),
        ("`a` beats `d`. <!-- claim toy m: a > d -->", "no pair"),
    ],
)
def test_a_false_claim_is_found(tmp_path, monkeypatch, text, fault):
    monkeypatch.setattr("test_claims.RESULTS", tmp_path)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "table.csv").write_text("label,m\na,0.3\nb,0.1\nc,0.11\n")
    lines = ["metric,a,b,mean,p_corrected", "m,a,b,0.2,0.001", "m,a,c,0.19,0.01", "m,c,b,0.01,0.6"]
    (tmp_path / "toy" / "pairs.csv").write_text("\n".join(lines))
    (claim,) = claims_of("page", text)
    found = faults(claim)
    assert (found == []) if fault is None else any(fault in each for each in found)


PAGES = [ROOT / "README.md", *sorted(RESULTS.glob("*.md"))]
APART = re.compile(r"<!-- measured apart: ([.\d, ]+) -->")  # numbers of a page that no stored table has
FOUR_DIGITS = re.compile(r"(?<![\w.])[+−-]?0?(\.\d{4})(?!\d)")


def stored() -> set[str]:
    """The numbers of all stored tables and reports, with four digits."""
    texts = [path.read_text() for pattern in ("*/*.csv", "*/*.md") for path in RESULTS.glob(pattern)]
    found = (abs(float(number)) for text in texts for number in re.findall(r"(?<![\w.])[+−-]?(\d*\.\d{4,})", text))
    return {f"{number:.4f}"[-5:] for number in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_number_of_a_page_is_in_a_stored_table(page):
    text = page.read_text()
    apart = {number.strip() for numbers in APART.findall(text) for number in numbers.split(",")}
    known = stored() | apart
    assert sorted({number for number in FOUR_DIGITS.findall(text) if number not in known}) == []


def test_a_number_that_no_table_has_is_found():
    assert ".1557" in stored()
    assert FOUR_DIGITS.findall("(`a`, .1234 [.1111, 0.2222], +.0001, 1.2345, .123)") == [
        ".1234",
        ".1111",
        ".2222",
        ".0001",
    ]
