"""A registered class is an option like any other, in this process and in workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import run
from encoders import letters_of_tests
from full import only_full

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
        (3, "encoder", "mine", "is not a class or function"),
        (Path, "encoder", "mine", "belongs to a library"),
        (
            letters_of_tests.LetterCounts,
            "encodr",
            "mine",
            "the group is 'encodr'; expected one of data, split, encoder",
        ),
        (letters_of_tests.LetterCounts, "encoder", "my part", "expected letters, digits and underscores"),
        (letters_of_tests.LetterCounts, "encoder", "bert", "encoder=bert already exists"),
    ],
)
def test_impossible_registrations_are_refused(component, group, name, message):
    with pytest.raises(ConfigError, match=message):
        recsys.register(component, group=group, name=name)


NOTEBOOK = '''
import os
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


def letters_of(text):
    """Of a text, by the class that this process builds from its configuration."""
    from recsys.config.compose import build
    return os.getpid(), build("encoder", recsys.compose(["encoder=mine"]).encoder).encode([text]).tolist()


if __name__ == "__main__":
    recsys.register(Mine, group="encoder", name="mine")
'''
WORKERS = """
    from functools import partial
    from joblib import Parallel, delayed
    from recsys.config.registered import registered, with_registered
    do = delayed(partial(with_registered, registered(), letters_of))
    (place, letters), _ = Parallel(2)([do("abba"), do("c")])
    assert place != os.getpid()
    assert letters == [[2, 2, 0, 0, 0, 0, 0, 0]], letters
"""
RUN = """
    rng = np.random.default_rng(0)
    sales = {"user_id": rng.integers(0, 40, 600), "item_id": rng.integers(0, 30, 600)}
    items = {"item_id": list(range(30)), "name": [f"{'abcdefgh'[n % 8] * 3} {n}" for n in range(30)]}
    data = recsys.dataset(sales, items, item_text="{name}")
    common = ["split=random", "trainer.max_epochs=1", "trainer.enable_progress_bar=false"]
    run = recsys.run("encoder=mine", "ranker=dot", *common, data=data)
    assert "__main__.Mine" in run.record.code
    assert recsys.load(run.folder).recommend(user=3, top_k=2).height == 2
"""
STUDY = """
    study = recsys.study(
        "launcher=joblib", "launcher.n_workers=2", data=data, common=common, name="own", seeds=[0, 1],
        cells={"my letters": ["encoder=mine", "ranker=dot"]}, baselines=[["ranker=popularity"]], baseline="popularity",
    )
    assert not study.failures, study.failures
    print(study)
"""


def written(folder: Path, *further: str) -> Path:
    """A script that defines and registers a class of its own."""
    script = folder / "notebook.py"
    script.write_text(NOTEBOOK + "".join(further))
    return script


def printed(script: Path) -> str:
    """What the script printed in a new interpreter."""
    folder = script.parent
    package = str(Path(recsys.__file__).parents[1])
    environment = {**os.environ, "RECSYS_CACHE": str(folder / "cache"), "PYTHONPATH": package}
    done = subprocess.run([sys.executable, script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_class_of_a_notebook_is_built_in_workers(tmp_path):
    printed(written(tmp_path, WORKERS))


@pytest.mark.slow
def test_a_run_on_a_class_of_a_notebook_is_loaded_again(tmp_path):
    done = run(written(tmp_path, RUN), cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr


@only_full  # three interpreters import all libraries
def test_a_class_of_a_notebook_works_in_the_workers_of_a_study(tmp_path):
    # The study finds the run of seed 0; its workers make that of seed 1.
    assert "my letters" in printed(written(tmp_path, RUN, STUDY))
