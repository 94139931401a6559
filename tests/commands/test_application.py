"""A subcommand as an application: its exit status, and the arguments that its job sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from in_process import call

from recsys.commands import registry, train
from recsys.schema import ConfigError
from recsys.tracking.typed_commands import typed_command

SLOW_IMPORT = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "recsys.commands.application":
            print("importing", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
from recsys.commands.main import main
main(["train"])
"""


def replaced(monkeypatch, function) -> None:
    monkeypatch.setattr(train, "run", function)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["seed=3"], ["-m", "seed=3,4"]])
def test_a_job_has_the_original_argv(monkeypatch, tmp_path, arguments):
    seen = []
    replaced(monkeypatch, lambda cfg: seen.append((cfg.seed, list(sys.argv))))
    assert call("train", [*arguments, f"paths.runs_dir={tmp_path}"]).status == 0
    typed = ["recsys", "train", *arguments, f"paths.runs_dir={tmp_path}"]
    assert seen == [(seed, typed) for seed in (3, 4)[: len(arguments)]]


def test_only_a_command_may_change_the_settings_of_glibc(monkeypatch, tmp_path):
    monkeypatch.delenv("RECSYS_KEEP_FREED_MEMORY", raising=False)
    seen = []
    replaced(monkeypatch, lambda cfg: seen.append(os.environ.get("RECSYS_KEEP_FREED_MEMORY")))
    assert call("train", [f"paths.runs_dir={tmp_path}"]).status == 0
    assert seen == ["1"]
    assert "RECSYS_KEEP_FREED_MEMORY" not in os.environ


def test_the_original_argv_is_back_after_an_error(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["recsys", "train", "seed=[1"])
    with pytest.raises(SystemExit):
        registry.run("train", ["seed=[1"])
    assert sys.argv == ["recsys", "train", "seed=[1"]


def test_several_values_without_a_sweep_are_an_error_with_the_command_to_type():
    said = call("train", ["seed=0,1"])
    assert said.status == 2
    assert "as in recsys train -m … seed=0,1." in said.error


@pytest.mark.parametrize(("ends_with", "status"), [(ConfigError("a key is wrong"), 2), (SystemExit(3), 3)])
def test_exit_status_of_a_job(monkeypatch, ends_with, status):
    def fail(cfg):
        raise ends_with

    replaced(monkeypatch, fail)
    said = call("train", [])
    assert said.status == status
    assert ("error: a key is wrong" in said.error) == (status == 2)


def test_cfg_prints_the_configuration_and_runs_nothing(monkeypatch):
    replaced(monkeypatch, lambda cfg: pytest.fail("was run"))
    said = call("train", ["--cfg", "job", "seed=7"])
    assert said.status == 0
    assert "\nseed: 7\n" in said.out


def test_a_folder_of_the_user_is_read(monkeypatch, tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "mine.yaml").write_text("_target_: mine.Mine\n")
    monkeypatch.setenv("RECSYS_CONF", "")  # which the command sets
    seen = []
    replaced(monkeypatch, lambda cfg: seen.append((cfg.encoder._target_, typed_command("train", cfg.overrides))))
    said = call("train", ["--config-dir", str(tmp_path), "encoder=mine"])
    assert (said.status, seen) == (0, [("mine.Mine", f"recsys train --config-dir {tmp_path} encoder=mine")])
    assert call("train", ["seed=1"]).status == 0
    assert seen[1][1] == "recsys train seed=1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_libraries_are_imported_ends_the_command(number):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_IMPORT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert error.count("stopped by") == 1
    assert "Traceback" not in error
