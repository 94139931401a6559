"""Secrets are in no record, study and error."""

from __future__ import annotations

import pytest

from recsys.tracking.record import Record
from recsys.tracking.secrets import HIDDEN, redact_error, redacted
from recsys.tracking.study_record import StudyRecord

TEXTS = [
    "postgresql://me:hunter2@host:5432/db",
    "redis://:hunter2@host",
    "https://hunter2@host/path",
    "mysql+pymysql://me:p@hunter2@host/db?ssl=1",
    "search.storage='sqlite:////a.db?password=hunter2'",
    "https://host/v1?api_key=hunter2&x=1",
    "+encoder.api_key=hunter2",
    "encoder.endpoint={api_key: hunter2, url: x}",
    "{'client_secret': 'hunter2'}",
    '"db_password": "hunter2 hunter2"',
    "Authorization: Bearer hunter2hunter2",
    "OPENAI_API_KEY=hunter2",
    "HF_TOKEN=hunter2",
    "with the key hf_hunter2hunter2hunter2 in it",
]
OPEN = [
    "max_tokens=128",
    "pad_token=[PAD]",
    "http://host/a@b",
    "me@host.org",
    "tokenizer=x",
    "api_key=null",
    "token: 5",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_is_hidden_wherever_it_is(text, tmp_path):
    assert HIDDEN in redacted(text)
    assert "hunter2" not in redacted(text)
    nested = redacted({"a": [{"b": text}]})
    assert "hunter2" not in str(nested)
    assert nested.keys() == {"a"}
    record = Record("a1", "cf", {}, {"a": text}, [text], 0, {}, tuning={"b": [text]}, error=f"Traceback\n{text}")
    assert "hunter2" not in str(record)
    record.write(tmp_path / "record.json")
    assert "hunter2" not in (tmp_path / "record.json").read_text()
    study = StudyRecord("s", f"study.py {text}", [0], [], None, "val/ndcg@10", {"storage": text})
    assert "hunter2" not in str(study)


@pytest.mark.parametrize("text", OPEN)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


def test_the_value_of_a_secret_key_is_hidden():
    config = {"api_key": "x", "token": None, "n_tokens": 3, "eos_token": "</s>", "nested": {"password": "y"}}
    expected = {"api_key": HIDDEN, "token": None, "n_tokens": 3, "eos_token": "</s>", "nested": {"password": HIDDEN}}
    assert redacted(config) == expected


def test_an_error_and_its_causes_show_no_secret():
    error = ValueError(TEXTS[4])
    error.__cause__ = OSError(f"no route to {TEXTS[0]}")
    redact_error(error)
    assert "hunter2" not in f"{error} {error.__cause__}"
