"""Weights & Biases without a network, or with one that is dead: never a question, a long wait or a failed run."""

from __future__ import annotations

import logging
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import wandb
import yaml
from tracking.wandb_files import read

from recsys.config.compatibility import check
from recsys.config.compose import compose
from recsys.schema import ConfigError
from recsys.tracking import wandb as tracking

pytestmark = pytest.mark.slow  # wandb's own library starts a service

KEY = "0123456789" * 4
SWEEP = Path(__file__).parents[2] / "docs" / "wandb_sweep.yaml"


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """A user whom wandb does not know, and a process that has not given any server up."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(tracking, "_given_up", set())
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def closed(monkeypatch):
    """A server that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("WANDB_BASE_URL", address)
    return address


@pytest.fixture
def silent(monkeypatch):
    """A server that accepts connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield


class Refusing(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(401)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def refusing(monkeypatch):
    """A server that does not know the key."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield
    server.shutdown()


def ended(folder):
    """What is kept of a run once wandb's own process has ended and written all of it."""
    wandb.teardown()
    return read(folder)


def two_runs(tmp_path, timeout=1.0):
    """Seconds that each of two runs of a process waits for wandb; both are kept in files."""
    took = []
    for name in ("run1", "run2"):
        start = time.monotonic()
        run = tracking.begin(str(tmp_path / name), "auto", timeout, project="recsys")
        run.log({"val/ndcg@10": 0.5})
        run.finish()
        took.append(time.monotonic() - start)
    for name in ("run1", "run2"):
        told = ended(tmp_path / name)
        assert told["id"] == name
        assert told["summary"]["val/ndcg@10"] == 0.5
        assert told["exit_code"] == 0
    return took


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.name == tracking.log.name]


def test_without_a_key_runs_are_kept_in_files_and_no_server_is_asked(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(tracking, "problem_of", lambda *_: pytest.fail("a server was asked"))
    two_runs(tmp_path)
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("server", ["closed", "silent", "refusing"])
def test_a_server_that_fails_is_asked_once_and_waited_for_in_bounds(server, request, tmp_path, monkeypatch, caplog):
    request.getfixturevalue(server)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    first, second = two_runs(tmp_path)
    assert first < 15  # seconds; some of them for the start of wandb's own process on a busy machine
    assert second < 5
    (warning,) = warnings_of(caplog)
    assert "cannot be used" in warning
    assert "`wandb sync` uploads them later" in warning


def test_a_key_in_netrc_counts(closed, tmp_path, monkeypatch, caplog):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1\n  login user\n  password {KEY}\n")
    two_runs(tmp_path)
    assert len(warnings_of(caplog)) == 1  # the server was asked


@pytest.mark.parametrize(
    ("offline", "environment"), [(True, {}), ("auto", {"WANDB_MODE": "offline"}), ("auto", {"WANDB_MODE": "dryrun"})]
)
def test_offline_asks_no_server_whatever_keys_there_are(offline, environment, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "problem_of", lambda *_: pytest.fail("a server was asked"))
    for name, value in {"WANDB_API_KEY": KEY, **environment}.items():
        monkeypatch.setenv(name, value)
    run = tracking.begin(str(tmp_path / "run"), offline, 1.0, project="recsys")
    assert run.offline
    run.finish()


def test_online_without_a_key_is_told_and_does_not_ask_for_one(tmp_path, caplog):
    run = tracking.begin(str(tmp_path / "run"), False, 1.0, project="recsys")
    assert run.offline
    run.finish()
    assert "no key" in warnings_of(caplog)[0]


def test_disabled_by_the_environment_is_disabled(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    tracking.begin(str(tmp_path / "run"), "auto", 1.0, project="recsys").finish()
    assert not list(tmp_path.glob("run/wandb/*"))


def test_a_run_of_a_sweep_has_the_id_that_its_agent_gave(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "agents1")
    tracking.begin(str(tmp_path / "run"), "auto", 1.0, project="recsys").finish()
    assert ended(tmp_path / "run")["id"] == "agents1"


def test_a_further_process_of_ddp_makes_no_wandb_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "is_first_process", lambda: False)
    tracking.make_logger("recsys", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_failed_run_is_marked(tmp_path, caplog):
    logger = tracking.make_logger("recsys", str(tmp_path / "run"))
    with caplog.at_level(logging.ERROR):
        logger.finalize("failed")
    assert ended(tmp_path / "run")["exit_code"] == 1


def test_another_value_of_offline_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"logger.wandb.offline is 'yes'; expected true, false or auto"):
        tracking.make_logger("recsys", str(tmp_path), offline="yes")


def sweep_overrides():
    parameters = yaml.safe_load(SWEEP.read_text())["parameters"]
    for name, parameter in parameters.items():
        for value in parameter.get("values") or [parameter["min"], parameter["max"]]:
            yield f"{name}={value}"


@pytest.mark.parametrize("override", sweep_overrides())
def test_every_value_of_the_sweep_is_one_of_a_run(override):
    command = yaml.safe_load(SWEEP.read_text())["command"]
    own = [word for word in command if "=" in word]
    cfg = compose([*own, override])
    check(cfg)
    assert cfg.logger.wandb.job_type == "train"
    assert not cfg.test


def test_the_sweep_optimises_what_runs_watch():
    sweep = yaml.safe_load(SWEEP.read_text())
    assert sweep["metric"] == {"name": compose().monitor, "goal": "maximize"}
    assert (SWEEP.parents[1] / sweep["program"]).is_file()
    assert sweep["command"][-1] == "${args_no_hyphens}"


def test_the_summary_keeps_the_best_value_in_the_metrics_direction(tmp_path):
    logger = tracking.make_logger(project="p", save_dir=str(tmp_path / "abc"), offline=True)
    logger.declare({"val/ndcg@10": True, "val/gini@10": False})
    logger.close({})
    wandb.teardown()  # writes what is left to the file
    assert read(tmp_path / "abc")["kept"] == {"val/ndcg@10": ["max"], "val/gini@10": ["min"]}
