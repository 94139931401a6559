"""`recsys audit` on real runs."""

import json

import pytest
from in_process import call

import recsys
from recsys.experiment.refitting import refit_run
from recsys.schema import ConfigError


@pytest.fixture(scope="module")
def make(small_data, cache_dir, tmp_path_factory):
    """Makes a run of the module's store."""
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path_factory.mktemp('audited')}"]
    return lambda *overrides: recsys.run([*small_data, *paths, *overrides])


@pytest.fixture(scope="module")
def temporal(make):
    return make("split=temporal", "ranker=popularity")


def test_a_clean_run(temporal, cache_dir):
    said = call("audit", [f"run={temporal.folder}", f"paths.cache_dir={cache_dir}"])
    assert said.status == 0, said.out + said.error
    assert "No leak was found." in said.out
    assert "ranker=transition_graph" in said.out
    written = json.loads((temporal.folder / "audit.json").read_text())
    found = {each["check"]: each["status"] for each in written["findings"]}
    assert found.pop("popularity") == "measured"
    unchecked = ("nearest texts", "transitions from the last item", "titles of items")
    assert [found.pop(name) for name in unchecked] == ["not checked"] * 3
    assert set(found.values()) == {"clean"}
    assert len(found) == 6


@pytest.mark.parametrize("command", ["audit", "evaluate"])
def test_a_refit_on_everything_has_no_test(temporal, command):
    said = call(command, [f"run={refit_run(temporal).folder}"])
    assert said.status == 2
    assert "is fitted on all interactions, the test part included, so it has no test" in said.error
    assert "No leak was found" not in said.out


@pytest.mark.slow
def test_a_split_by_user_overlaps_and_vectors_without_provenance_are_unknown(make, vector_file):
    run = make("ranker=itemknn", "encoder=vectors", f"encoder.path='{vector_file}'")
    said = call("audit", [f"run={run.folder}"])
    assert said.status == 1
    assert "Leaks found: later interactions of any user." in said.out
    assert "Unknown: origin of vectors." in said.out
    assert recsys.load(run.folder).record == run.record


@pytest.mark.parametrize("override", ["near_duplicate=0", "near_duplicate=true", "n_cold_items=0", "seed=-1"])
def test_impossible_values_are_errors(override):
    from recsys.commands.audit import run

    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        run(recsys.compose(["run=x", override], "audit"))


@pytest.mark.slow
def test_the_memory_of_a_language_model(temporal, tiny_decoder):
    weights = next(each for each in tiny_decoder["smollm"] if "weights" in each).partition("=")[2]
    asked = ["memory.n_items=60", "memory.n_choices=3", "memory.n_users=20", f"memory.weights={weights}"]
    asked.append("memory.n_generated=12")
    said = call("audit", [f"run={temporal.folder}", *asked])
    findings = json.loads((temporal.folder / "audit.json").read_text())["findings"]
    found = {each["check"]: each for each in findings if each["part"] == "memory"}
    assert found.keys() == {
        "memory of lines of the data set",
        "memory of titles of items",
        "memory of next items of users",
        "free completion of lines of the data set",
        "free completion of titles of items",
        "metrics by memory of titles",
        "metrics by memory of next items",
    }, said.out
    lines = found["memory of lines of the data set"]["numbers"]
    assert lines["low"] < 1 / 3 < lines["high"]
    assert lines["of"] > 30
    split = found["metrics by memory of titles"]["numbers"]
    assert split["remembered_of"] + split["other_of"] > 20
    n_next = found["memory of next items of users"]["numbers"]["of"]
    of_next = found["metrics by memory of next items"]["numbers"]
    assert of_next.get("remembered_of", 0) + of_next.get("other_of", 0) == n_next > 0
    assert 2 <= found["free completion of lines of the data set"]["numbers"]["of"] <= 12


def test_a_language_model_that_does_not_exist_is_an_error(temporal):
    said = call("audit", [f"run={temporal.folder}", "memory.weights=/nowhere"])
    assert said.status == 2
    assert "/nowhere" in said.error
