"""The endpoint encoder against a server that fails in all the ways that servers do."""

from __future__ import annotations

import json
import math
import sqlite3
import time
import traceback

import numpy as np
import pytest
from encoders.embedding_server import DIM, Fault, as_numbers, serving, vector_of
from encoders.tiny_models import TEXTS

import recsys
from recsys.config.compose import build
from recsys.encoders.endpoint import EndpointEncoder
from recsys.language_models.http_endpoint import EndpointError
from recsys.schema import ConfigError
from recsys.testing.encoder_contract import LONG, EncoderContract

KEY = "my-very-own-value-1234"


@pytest.fixture
def server():
    with serving() as made:
        yield made


def encoder_of(server, **settings) -> EndpointEncoder:
    return EndpointEncoder(server.url, "stub", **{"first_wait": 0.01, "batch_size": 4, **settings})


def expected(texts) -> np.ndarray:
    return np.array([vector_of(text) for text in texts], dtype=np.float32)


class TestEndpointEncoder(EncoderContract):
    cuts = True

    @pytest.fixture(scope="class", autouse=True)
    def own_server(self, request):
        with serving() as made:
            request.cls.server = made
            yield

    def make(self, folder):
        return encoder_of(self.server, max_chars=len(LONG) - 1)

    def test_blank_texts_are_zeros_and_are_not_sent(self, encoder):
        assert not encoder.encode(["", "  "]).any()
        assert not any(not text.strip() for text in self.server.texts)


def without_last(answer):
    return {**answer, "data": answer["data"][:-1]}


def reversed_order(answer):
    return {**answer, "data": answer["data"][::-1]}


def with_number(number):
    def change(answer):
        as_numbers(answer)["data"][0]["embedding"][2] = number
        return answer

    return change


def same_index(answer):
    for entry in answer["data"]:
        entry["index"] = 0
    return answer


def ragged(answer):
    as_numbers(answer)["data"][0]["embedding"].append(1.0)
    return answer


PASSING = {
    "429": Fault(429, {"Retry-After": "0.01"}, said="slow down"),
    "429 without a time": Fault(429),
    "500": Fault(500, said="CUDA error"),
    "502 of a proxy": Fault(502, said="<html>Bad Gateway</html>"),
    "503 with a date": Fault(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "silence": Fault(delay=2.5),
    "a short answer": Fault(change=without_last),
    "NaN": Fault(change=with_number(math.nan)),
    "null": Fault(change=with_number(None)),
    "infinity": Fault(change=with_number(math.inf)),
    "an index twice": Fault(change=same_index),
    "vectors of two lengths": Fault(change=ragged),
    "an empty answer": Fault(change=lambda _: b""),
    "half an answer": Fault(change=lambda answer: json.dumps(answer).encode()[:50]),
    "another answer": Fault(change=lambda _: {"error": {"message": "loading model"}}),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_failure_that_passes_changes_nothing(server, name):
    server.faults = [PASSING[name]]
    encoder = encoder_of(server, timeout=1.0 if name == "silence" else 60.0, n_concurrent=2)
    assert np.array_equal(encoder.encode(TEXTS), expected(TEXTS))
    counted = encoder.coverage(TEXTS)
    assert counted["requests_answered"] == 5
    assert counted["requests_failed"] >= 1  # a loaded machine may be silent, too


def test_vectors_go_to_their_texts_whatever_the_order_of_an_answer(server):
    server.faults = [Fault(change=reversed_order)] * 5
    assert np.array_equal(encoder_of(server).encode(TEXTS), expected(TEXTS))


def test_a_failure_that_stays_ends_after_the_attempts_and_says_what_it_was(server):
    server.faults = [Fault(500, said="CUDA error")] * 3
    with pytest.raises(EndpointError, match=r"gave no vectors in 3 attempts; the last answer: status 500: CUDA error"):
        encoder_of(server, max_attempts=3, n_concurrent=1).encode(TEXTS)
    assert len(server.requests) == 3
    server.faults = [Fault(change=lambda answer: {"error": "not loaded"})] * 3  # with status 200
    with pytest.raises(EndpointError, match=r'the last answer: it is malformed \(KeyError\): .*"error": "not loaded"'):
        encoder_of(server, max_attempts=3, n_concurrent=1).encode(TEXTS)


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422])
def test_a_refusal_is_not_repeated(server, status):
    server.faults = [Fault(status, said="model not found")]
    with pytest.raises(EndpointError, match=rf"refuses 4 texts: status {status}: model not found"):
        encoder_of(server, n_concurrent=1).encode(TEXTS)
    assert len(server.requests) == 1


def test_all_threads_wait_as_long_as_the_server_asks(server):
    server.faults = [Fault(429, {"Retry-After": "0.3"})]
    encoder_of(server, n_concurrent=1).encode(TEXTS)
    assert server.times[1] - server.times[0] >= 0.3
    server.faults = [Fault(429, {"Retry-After": "3600"})]
    with pytest.raises(EndpointError, match=r"asks to wait 3600 s .* longer than encoder\.max_wait=60"):
        encoder_of(server, n_concurrent=1).encode(["new"])


def test_requests_keep_to_the_rate(server):
    start = time.monotonic()
    encoder_of(server, requests_per_minute=1200, n_concurrent=4).encode(TEXTS)
    assert max(server.times) - start >= 4 * 60 / 1200


def test_no_more_requests_are_under_way_than_configured(server):
    server.service = 0.03
    encoder_of(server, batch_size=1, n_concurrent=3).encode(TEXTS)
    assert server.most == 3


def test_a_width_that_was_not_asked_for_is_refused(server):
    assert encoder_of(server, dimensions=3).encode(TEXTS).shape == (20, 3)
    assert server.requests[0]["dimensions"] == 3

    def ignored(answer):
        return {**answer, "data": [{**entry, "embedding": [0.5] * DIM} for entry in answer["data"]]}

    server.faults = [Fault(change=ignored)]
    with pytest.raises(EndpointError, match=r"gave a vector of 6 numbers; expected 3 numbers \(encoder\.dimensions=3"):
        encoder_of(server, dimensions=3, n_concurrent=1).encode(["new"])


def test_a_prefix_is_before_each_text_and_in_the_identity(server):
    prefixed = encoder_of(server, prefix="passage: ")
    assert np.array_equal(prefixed.encode(TEXTS), expected(f"passage: {text}" for text in TEXTS))
    assert prefixed.identity() != encoder_of(server).identity()


def test_no_text_is_paid_twice_after_a_failure(server, tmp_path):
    """The third of five requests is refused; those that were answered are not sent again."""
    server.faults = [None, None, Fault(400)]
    first = encoder_of(server, n_concurrent=1)
    first.fit([], tmp_path)
    with pytest.raises(EndpointError):
        first.encode(TEXTS)
    assert len(server.texts) == 8
    again = encoder_of(server, n_concurrent=1)
    again.fit([], tmp_path)
    assert np.array_equal(again.encode(TEXTS), expected(TEXTS))
    assert server.texts == dict.fromkeys(TEXTS, 1)
    more = [*TEXTS, "one more"]
    again.encode(more)
    assert server.requests[-1]["input"] == ["one more"]


def test_answers_under_way_are_kept_when_another_request_fails(server, tmp_path):
    server.faults = [Fault(400)]
    server.service = 0.2
    first = encoder_of(server, n_concurrent=5)
    first.fit([], tmp_path)
    with pytest.raises(EndpointError):
        first.encode(TEXTS)
    again = encoder_of(server)
    again.fit([], tmp_path)
    again.encode(TEXTS)
    assert max(server.texts.values()) == 1


def test_tokens_and_cost_are_reported_for_what_was_found_too(server, tmp_path):
    words = sum(len(text.split()) for text in TEXTS)
    for _ in range(2):
        encoder = encoder_of(server, price_per_million_tokens=2.0)
        encoder.fit([], tmp_path)
        encoder.encode(TEXTS)
        report = encoder.coverage(TEXTS)
        assert report["n_tokens"] == words
        assert report["cost"] == pytest.approx(words * 2e-6)
    assert report["requests_answered"] == 0


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(server, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("MY_KEY", KEY)
    server.faults = [None, Fault(401, said=f"wrong key {KEY}")]
    encoder = encoder_of(server, api_key_variable="MY_KEY", n_concurrent=1)
    encoder.fit([], tmp_path)
    with pytest.raises(EndpointError) as caught:
        encoder.encode(TEXTS)
    assert server.requests[0]["authorization"] == f"Bearer {KEY}"
    assert "status 401: wrong key ***" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + json.dumps(encoder.identity())
    assert KEY not in shown
    assert KEY not in repr(encoder.endpoint)
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_variable_without_a_key_is_named(server, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ConfigError, match="the environment variable of this name is not set"):
        encoder_of(server, api_key_variable="MY_KEY").encode(TEXTS)
    monkeypatch.setenv("MY_KEY", "a\nb")
    with pytest.raises(ConfigError, match="not a key of printable characters"):
        encoder_of(server, api_key_variable="MY_KEY").encode(TEXTS)
    assert not server.requests


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "localhost:8000"}, r"encoder\.url is 'localhost:8000'; expected one such as"),
        ({"url": "https://me:secret@host/v1"}, r"encoder\.url holds a user, a password or parameters"),
        ({"batch_size": 0}, r"encoder\.batch_size is 0"),
        ({"timeout": 0.0}, r"encoder\.timeout is 0\.0"),
        ({"encoding_format": "int8"}, r"expected float or base64"),
    ],
)
def test_an_impossible_value_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        EndpointEncoder(**{"url": "http://host/v1", "model": "m", **settings})
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(EndpointError, match=r"http://127\.0\.0\.1:9/v1 gave no vectors in 2 attempts; .*Refused"):
        EndpointEncoder("http://127.0.0.1:9/v1", "m", max_attempts=2, first_wait=0.01).encode(["text"])


def test_a_damaged_store_is_set_aside(server, tmp_path):
    encoder = encoder_of(server)
    encoder.fit([], tmp_path)
    encoder.encode(TEXTS)
    encoder.store.close()
    path = next(tmp_path.rglob("*.sqlite"))
    for beside in path.parent.glob(f"{path.name}-*"):
        beside.unlink()
    path.write_bytes(b"no database at all, " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(path).execute("SELECT * FROM vectors")
    again = encoder_of(server)
    again.fit([], tmp_path)
    assert np.array_equal(again.encode(TEXTS), expected(TEXTS))
    assert path.with_suffix(".damaged").exists()


@pytest.mark.slow
def test_a_run_records_tokens_and_cost(server, small_data, cache_dir, tmp_path):
    settings = ["encoder=endpoint", f"encoder.url={server.url}", "encoder.model=stub", "features.dim=8"]
    settings += ["encoder.price_per_million_tokens=0.02", f"paths.cache_dir={tmp_path / 'cache'}"]
    run = recsys.run([*small_data, *settings, f"paths.runs_dir={tmp_path / 'runs'}"])
    report = run.record.encoding
    assert report["n_tokens"] > 0
    assert report["cost"] == pytest.approx(report["n_tokens"] * 0.02e-6)
    assert report["identity"]["model"] == "stub"
    assert max(server.texts.values()) == 1
    assert run.record.metrics["test/ndcg@10"] > 0


def test_the_yaml_needs_a_server_and_a_model():
    with pytest.raises(ConfigError, match=r"encoder=endpoint needs encoder\.model, encoder\.url"):
        recsys.run(["encoder=endpoint"])
    cfg = recsys.compose(["encoder=endpoint", "encoder.url=http://localhost:1/v1", "encoder.model=m"])
    assert build("encoder", cfg.encoder).endpoint.model == "m"
