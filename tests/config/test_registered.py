"""A registered class is an option like any other, in this process and in workers."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from encoders import letters_of_tests

import recsys
from recsys.config import registered, trust
from recsys.config.folders import VARIABLE
from recsys.config.trust import recorded
from recsys.schema import ConfigError

TARGET = "encoders.letters_of_tests.LetterCounts"


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    """Each test has a folder of its own, and the environment of before afterwards."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(trust, "_allowed", set())
    monkeypatch.setattr(registered, "_targets", set())
    monkeypatch.setattr(registered, "_of_main", {})
    registered._own_folder.cache_clear()
    yield
    registered._own_folder.cache_clear()


def test_a_registered_class_is_an_option_with_its_values():
    recsys.register(letters_of_tests.LetterCounts, group="encoder", name="letters", n_letters=5)
    cfg = recsys.compose(["encoder=letters", "encoder.n_letters=3"])
    assert (cfg.choices.encoder, cfg.encoder._target_, cfg.encoder.n_letters) == ("letters", TARGET, 3)


def test_a_class_is_replaced_by_another_of_its_name():
    for n_letters in (5, 6):
        recsys.register(letters_of_tests.LetterCounts, group="encoder", name="letters", n_letters=n_letters)
    assert recsys.compose(["encoder=letters"]).encoder.n_letters == 6


def test_defaults_are_those_of_the_group():
    recsys.register(letters_of_tests.LetterCounts, group="ranker", name="mine", defaults=["_fitted"])
    assert recsys.compose(["ranker=mine"]).choices.encoder == "none"


def test_only_the_class_itself_may_be_recorded():
    config = {"encoder": {"_target_": TARGET}}
    with pytest.raises(ConfigError, match="is not trusted"):
        recorded(config, Path("record.json"))
    recsys.register(letters_of_tests.LetterCounts, group="encoder", name="letters")
    assert recorded(config, Path("record.json")) == config
    with pytest.raises(ConfigError, match="is not trusted"):
        recorded({"encoder": {"_target_": "encoders.letters_of_tests.other"}}, Path("record.json"))


def test_a_record_of_a_notebook_asks_for_the_class():
    with pytest.raises(ConfigError, match=r"which a notebook or script defined.*recsys\.register"):
        recorded({"encoder": {"_target_": "__main__.Mine"}}, Path("record.json"))


def local():
    class Local:
        pass

    return Local


@pytest.mark.parametrize(
    ("component", "group", "name", "message"),
    [
        (local(), "encoder", "mine", "defined at the top"),
        (3, "encoder", "mine", "is no class or function"),
        (Path, "encoder", "mine", "is a library's"),
        (letters_of_tests.LetterCounts, "encodr", "mine", "no group 'encodr'; expected one of data, split, encoder"),
        (letters_of_tests.LetterCounts, "encoder", "my part", "expected letters, digits and underscores"),
        (letters_of_tests.LetterCounts, "encoder", "bert", "encoder=bert exists"),
    ],
)
def test_impossible_registrations_are_refused(component, group, name, message):
    with pytest.raises(ConfigError, match=message):
        recsys.register(component, group=group, name=name)


SCRIPT = '''
import numpy as np
import recsys
from recsys.encoders.base import Encoder

LETTERS = "abcdefgh"


class Mine(Encoder):
    """How often each of some letters is in a text."""

    def encode(self, texts):
        counts = [[text.lower().count(letter) for letter in LETTERS] for text in texts]
        return np.array(counts, np.float32).reshape(-1, len(LETTERS))

    def identity(self):
        return {"encoder": "mine"}


if __name__ == "__main__":
    recsys.register(Mine, group="encoder", name="mine")
    rng = np.random.default_rng(0)
    sales = {"user_id": rng.integers(0, 40, 600), "item_id": rng.integers(0, 30, 600)}
    items = {"item_id": list(range(30)), "name": [f"{'abcdefgh'[n % 8] * 3} {n}" for n in range(30)]}
    data = recsys.dataset(sales, items, item_text="{name}")
    common = ["split=random", "trainer.max_epochs=1", "trainer.enable_progress_bar=false"]
    study = recsys.study(
        "launcher=joblib", "launcher.n_workers=2", data=data, common=common, name="own", seeds=[0, 1],
        cells={"my letters": ["encoder=mine", "ranker=dot"]}, baselines=[["ranker=popularity"]], baseline="popularity",
    )
    assert not study.failures, study.failures
    run = recsys.run("encoder=mine", "ranker=dot", *common, data=data)
    assert run.record.run_id in study.record.labels, "a worker made it"
    assert "__main__.Mine" in run.record.code
    assert recsys.load(run.folder).recommend(user=3, top_k=2).height == 2
    print(study)
'''


def test_a_class_of_a_notebook_works_in_workers_and_when_loaded_again(tmp_path):
    script = tmp_path / "notebook.py"
    script.write_text(textwrap.dedent(SCRIPT))
    package = str(Path(recsys.__file__).parents[1])
    environment = {**os.environ, "RECSYS_CACHE": str(tmp_path / "cache"), "PYTHONPATH": package}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "my letters" in done.stdout
