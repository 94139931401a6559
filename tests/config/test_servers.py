"""A record sends no text and no API key to a server that the user does not trust."""

from __future__ import annotations

from pathlib import Path

import pytest

import recsys
from recsys.config import trust
from recsys.config.compose import compose, plain
from recsys.config.servers import server_of
from recsys.config.trust import ENVIRONMENT, allow_servers_of, recorded
from recsys.experiment import run
from recsys.schema import ConfigError
from recsys.studies.plan import plan

FILE = Path("store/a1/record.json")
REMOTE, HERE, KEY = "https://models.example/v1", "http://localhost:8000/v1", "AWS_SECRET_ACCESS_KEY"
TRUSTED = "https://models.example"


class StopError(Exception):
    pass


@pytest.fixture(autouse=True)
def nothing_trusted(monkeypatch):
    monkeypatch.setattr(trust, "_trusted", set())
    monkeypatch.setattr(trust, "_own_servers", set())
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def overrides_of(group: str, url: str, key: str | None = None) -> list[str]:
    chosen = ["encoder=endpoint"] if group == "encoder" else ["ranker=prompt", "ranker.score=letters"]
    chosen += [] if group == "encoder" else ["ranking_model@ranker.language_model=endpoint"]
    return [*chosen, f"{group}.url={url}", f"{group}.model=m", f"{group}.api_key_variable={key or 'null'}"]


def record_of(group: str, url: str, key: str | None = None) -> dict:
    return plain(compose(overrides_of(group, url, key)))


@pytest.mark.parametrize("group", ["encoder", "ranker.language_model"])
@pytest.mark.parametrize(
    ("url", "key", "names"),
    [
        (REMOTE, None, [TRUSTED]),
        (REMOTE, KEY, [TRUSTED, KEY]),
        (HERE, KEY, ["http://localhost:8000", KEY]),
        ("http://127.0.0.1.models.example/v1", None, ["http://127.0.0.1.models.example"]),
        ("http://localhost@models.example/v1", None, ["http://localhost@models.example"]),
    ],
)
def test_a_records_server_and_the_variable_of_its_key_need_trust(group, url, key, names):
    with pytest.raises(ConfigError) as error:
        recorded(record_of(group, f"'{url}'", key), FILE)
    said = str(error.value)
    assert said.startswith("store/a1/record.json: config.")
    assert all(name in said for name in (f"config.{group}.url", *names))
    assert f"recsys.trust({', '.join(map(repr, names))})" in said
    recsys.trust(*names)
    assert recorded(record_of(group, f"'{url}'", key), FILE)
    for name in names:  # each of them is needed
        trust._trusted.remove(name)
        with pytest.raises(ConfigError, match="not trusted"):
            recorded(record_of(group, f"'{url}'", key), FILE)
        trust._trusted.add(name)


@pytest.mark.parametrize("url", [HERE, "http://127.0.0.1:1/v1", "http://[::1]:8000/v1", "http://LOCALHOST/v1"])
def test_a_server_on_this_machine_without_a_key_needs_no_trust(url):
    assert recorded(record_of("encoder", f"'{url}'"), FILE)


def test_the_error_has_one_flag_to_add_and_it_works(monkeypatch):
    config = record_of("encoder", REMOTE, "OPENAI_API_KEY")
    with pytest.raises(ConfigError, match=r"add 'trust=\[https://models\.example,OPENAI_API_KEY\]' to the command"):
        recorded(config, FILE)
    asked = compose(["run=a1", f"trust=[{TRUSTED},OPENAI_API_KEY]"], "recommend")
    monkeypatch.setenv(ENVIRONMENT, ",".join(asked.trust))
    assert recorded(config, FILE)


def test_a_server_may_be_trusted_by_its_whole_url():
    recsys.trust(REMOTE)
    assert recorded(record_of("encoder", REMOTE), FILE)


def test_a_name_in_the_message_cannot_be_read_as_shell_code():
    with pytest.raises(ConfigError) as error:
        recorded({"encoder": {"url": "http://a$(touch x)/v1"}}, FILE)
    assert "add 'trust=['\"'\"'http://a$(touch x)'\"'\"']' to" in str(error.value)


@pytest.mark.parametrize(
    "node",
    [
        {"logger": {"mlflow": {"_target_": "recsys.tracking.mlflow.make_logger", "tracking_uri": REMOTE}}},
        {"encoder": {"parts": {"a": {"_target_": "recsys.encoders.endpoint.EndpointEncoder", "url": REMOTE}}}},
        {"encoder": {"_target_": "recsys.encoders.endpoint.EndpointEncoder", "_args_": [HERE, "m"]}},
        {"encoder": {"url": "http://[models.example/v1"}},
        {"data": {"interactions": {"file": "s3://bucket/a.parquet"}}},
    ],
)
def test_servers_are_found_in_all_groups_and_at_any_depth(node):
    with pytest.raises(ConfigError, match=r"store/a1/record\.json: config\."):
        recorded(node, FILE)


def test_texts_that_no_component_reads_need_no_trust():
    shown = {"tags": [REMOTE], "overrides": [f"encoder.url={REMOTE}"]}
    assert recorded(shown, FILE)


def test_the_servers_of_the_users_own_configuration_are_trusted_in_its_process():
    own, other = record_of("encoder", REMOTE, "MY_KEY"), record_of("encoder", REMOTE, KEY)
    allow_servers_of(own)
    assert recorded(own, FILE)
    with pytest.raises(ConfigError, match=rf"names '{KEY}', which is not trusted"):
        recorded(other, FILE)


def test_planning_a_study_trusts_the_servers_of_its_cells():
    cell = ", ".join(map(repr, ["data=synthetic", *overrides_of("encoder", REMOTE)]))
    plan(compose([f"+study.cells={{a: [{cell}]}}"], "study"))
    assert recorded(record_of("encoder", REMOTE), FILE)


def test_making_a_run_trusts_its_servers(monkeypatch):
    def stop(cfg):
        raise StopError

    monkeypatch.setattr(run, "identify", stop)
    with pytest.raises(StopError):
        run.run(compose(["data=synthetic", *overrides_of("encoder", REMOTE)]))
    assert recorded(record_of("encoder", REMOTE), FILE)


def test_a_server_is_scheme_host_and_port():
    assert server_of(HERE) == "http://localhost:8000"
    assert server_of("a text about https://models.example") is None
    assert server_of(REMOTE) == TRUSTED
