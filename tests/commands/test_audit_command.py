"""`recsys audit` on real runs."""

import json

import pytest
from in_process import call

import recsys
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
    assert [found.pop(name) for name in ("nearest texts", "transitions from the last item")] == ["not checked"] * 2
    assert set(found.values()) == {"clean"}
    assert len(found) == 6


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
