"""From a stranger's tables to an answer, by one command or in Python; stopped and continued."""

from __future__ import annotations

import json
import re
import shlex
import signal

import polars as pl
import pytest
from in_process import call
from studies.answers.shop import articles, sales, write_shop

import recsys
from recsys.config.compose import compose
from recsys.schema import ConfigError
from recsys.studies.answers import answering
from recsys.studies.answers.answer_request import request
from recsys.studies.answers.answer_view import AnswerView
from recsys.studies.answers.candidates import CONTROL, FLOOR, IDS, LANGUAGE_MODEL, Candidate, Group
from recsys.support.interruption import Interrupted

QUICK = ["encoder=tfidf"]  # in the place of a language model
MINUTES = 0.01  # less than anything takes: the first group of cells, one trial and one seed
CELLS = [
    Candidate("popularity", FLOOR, ["ranker=popularity"]),
    Candidate("ease", IDS, ["ranker=ease"]),
    Candidate("tfidf+ease", LANGUAGE_MODEL, ["encoder=tfidf", "ranker=ease"], "random+ease"),
    Candidate("random+ease", CONTROL, ["encoder=random", "ranker=ease"]),
]
FEW = [Group("basis", CELLS), Group("ALS", [Candidate("als", IDS, ["ranker=als"])])]  # fitted in closed form
STOPPED_AFTER = 2  # jobs: of four cells two are measured
INTERRUPTED = 130  # exit status


@pytest.fixture(scope="module", autouse=True)
def few_cells():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "groups", lambda *_, **__: FEW)
        yield


@pytest.fixture(scope="module")
def shop(tmp_path_factory, cache_dir):
    folder = tmp_path_factory.mktemp("shop")
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={folder / 'runs'}"]
    return folder, [*write_shop(folder), *QUICK, *paths, f"minutes={MINUTES}", "formats=[md]"]


@pytest.fixture(scope="module")
def stopped(shop):
    """The command, interrupted while it measures the cells; with the times of its records."""
    told, jobs = AnswerView.told, []

    def tell(self, outcome):
        told(self, outcome)
        jobs.append(outcome.label)
        if len(jobs) == STOPPED_AFTER:
            raise Interrupted(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AnswerView, "told", tell)
        return call("answer", shop[1]), written(shop[0])


@pytest.fixture(scope="module")
def said(shop, stopped):
    """The same command again."""
    return call("answer", shop[1])


def written(folder):
    """When each run's record was written."""
    return {path: path.stat().st_mtime_ns for path in (folder / "runs").glob("*/record.json")}


def words(text: str) -> str:
    return " ".join(text.split())


def runs_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if "seed 0" in line]


@pytest.mark.slow
def test_the_data_is_checked_and_the_split_is_explained(said):
    out = words(said.out)
    assert "The text of an item is made of all text columns: {name}. {note}" in out
    dropped = next(line for line in said.out.splitlines() if "dropped" in line)
    assert "2" in dropped  # of three dirty rows two have no time
    assert "1" in dropped  # and one has an unknown item
    assert "Split: user_temporal. The data has times, but one cut in time tests too little" in out
    assert "No study of cold items" in out


@pytest.mark.slow
def test_the_plan_comes_before_the_first_run(said):
    out = words(said.out)
    plan = out.index("4 cells with 1 trial (untuned) and 1 seed each")
    assert out.index("one trial of each cell measures its time") < plan
    assert "Even this takes longer than minutes=0.01." in out
    assert "Left out for lack of time: ALS." in out
    assert len(runs_in(said.error)) == len(CELLS)
    left = r"; left (about \d+(\.\d+)? (s|min|h)|unknown: it takes longer than planned)"
    assert all(re.search(left, line) for line in runs_in(said.error)), said.error


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped(said, shop, stopped):
    ledger = json.loads(next((shop[0] / "runs" / "studies").glob("answer_*/answer.json")).read_text())
    assert ledger["done"] == ledger["begun"] == ledger["seeds"] == ledger["n_groups"] == 1
    assert ledger["spent"] > 0
    assert (stopped[0].status, said.status) == (INTERRUPTED, 0)
    before, now = stopped[1], written(shop[0])
    assert len(before) == 2  # the trials of popularity and ease
    assert before.items() <= now.items()
    assert len(now) == 4 + len(CELLS)


@pytest.mark.slow
def test_the_report_begins_with_the_answer(said, shop):
    folder = next((shop[0] / "runs" / "reports").glob("answer_shop_*"))
    text = (folder / "report.md").read_text()
    first = text.splitlines()[2]
    assert first.startswith(("Yes", "No", "Only in part", "This data cannot tell", "This run cannot tell"))
    assert first.endswith(", with untuned models.")
    assert words(first) in words(said.out)
    for heading in ("The answer in numbers", "Users", "Studies", "Next steps"):
        assert f"## {heading}" in text
    assert "recsys answer data=table" in text
    command = next(line for line in text.splitlines() if line.startswith("recsys study study=default search=tpe"))
    cfg = compose(shlex.split(command)[2:], "study")
    assert list(cfg.study.cells) == [cell.label for cell in CELLS]
    assert cfg.study.common[0] == "data=table"


@pytest.mark.slow
def test_a_notebook_does_the_same_in_six_lines(shop, said):
    columns = list(zip(*sales(), strict=True)), list(zip(*articles(), strict=True))
    frame = pl.DataFrame(columns[0], schema=["customer", "article", "bought"])
    items = pl.DataFrame(columns[1], schema=["article", "name", "note"])
    paths = [one for one in shop[1] if one.startswith("paths.")]
    without_control = [Group("basis", CELLS[:3])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "groups", lambda *_, **__: without_control)
        patch.setenv("RECSYS_CACHE", paths[0].split("=")[1])
        keys = {"user": "customer", "item": "article", "timestamp": "bought", "item_text": "{name}. {note}"}
        data = recsys.dataset(frame, items=items, name="shop", **keys)
        answer = recsys.answer(data, *QUICK, *paths, minutes=MINUTES, formats=["md"], progress=False)
    assert words(answer.verdict).partition(" nDCG@10")[0] in words(said.out)  # the same numbers
    assert answer.verdict in repr(answer)
    assert answer.scopes["for"].to_list()[0] == "overall"
    assert answer.comparison.table.height == 3
    report = answer.report.read_text()
    assert "The control with random vectors failed" in report
    assert "## Users" in report
    assert answer.cold_items is None
    assert answer.report.is_file()
    html = answer._repr_html_()
    assert "overall" in html
    assert "<script" not in html


def test_items_without_text_are_refused(shop):
    without = [one for one in shop[1] if not one.startswith("data.items")]
    found = call("answer", without)
    assert found.status == 2
    assert "have no text" in words(found.error)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("minutes=0", "minutes"),
        ("encoder=none", "expected a language model"),
        ("cold_items=3", "cold_items"),
        ("common=3", "common"),
        ("formats=[pdf]", "formats"),
        ("data=table", r"data=table needs data\.interactions\.file, data\.path"),
        ("encoder=endpoint", r"encoder=endpoint needs encoder\.model, encoder\.url"),
    ],
)
def test_impossible_keys_are_refused_before_anything_is_read(override, message):
    with pytest.raises(ConfigError, match=message):
        request(compose([override], "answer"))


def test_python_has_no_dry_run():
    with pytest.raises(ConfigError, match="dry run"):
        recsys.answer(dry_run=True)
