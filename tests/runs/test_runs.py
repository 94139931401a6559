"""The actions of `recsys runs` on hand-made runs."""

from __future__ import annotations

import builtins
import io
import json

import polars as pl
import pytest
from omegaconf import OmegaConf
from reports.made_runs import failed_run, made_run
from rich.console import Console

from recsys.commands.runs import run as runs_command
from recsys.config.compose import conf_dir
from recsys.runs.difference import config_differences
from recsys.runs.export_table import runs_frame
from recsys.runs.listing import sort_runs
from recsys.runs.reproduction import CLOSE, DIFFERS, EQUAL, compare_numbers, compare_queries
from recsys.schema import ConfigError
from recsys.tracking.store import Store

CONFIG = {"monitor": "val/ndcg@10"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def do(store, **keys):
    """What an action prints between its first line and the next commands, and its exit status."""
    cfg = OmegaConf.load(conf_dir() / "runs.yaml")
    cfg = OmegaConf.merge(cfg, {"paths": {"runs_dir": str(store.root), "cache_dir": "unused"}}, keys)
    text = io.StringIO()
    status = runs_command(cfg, Console(file=text, width=200))
    header, _, body = text.getvalue().partition("\n")
    assert header.endswith(f" in {store.root}")
    return body.partition("Next: ")[0], status


def ids(text):
    """The first words of a table's rows."""
    return [line.split()[0] for line in text.splitlines()[2:] if line.strip()]


def test_an_unknown_action_is_told_with_those_there_are(store):
    with pytest.raises(ConfigError, match=r"action is 'lst'; expected one of list, show, diff, reproduce, delete, exp"):
        do(store, action="lst")


def test_an_empty_store_is_told(store):
    with pytest.raises(ConfigError, match="holds no run"):
        do(store)


def test_runs_are_listed_with_the_metric_they_watch(store):
    run = made_run(store, "bert", "dot", 0, [1.0, 0.5], config=CONFIG, times={"total": 90.0}, tags=["demo"])
    text, status = do(store)
    row = text.splitlines()[2].split()
    assert row[:9] == [run.run_id, "bert+dot", "0", "finished", "demo", "toy", "–", "0.8500", "0.7500"]
    assert status == 0


def test_runs_are_filtered_and_sorted(store):
    weak = made_run(store, "bert", "dot", 0, [0.25], config=CONFIG)
    strong = made_run(store, "bert", "mlp", 0, [0.75], config=CONFIG)
    other = made_run(store, "tfidf", "dot", 0, [0.5], config=CONFIG, tags=["mine"])
    broken = failed_run(store, "gpt2", "dot", 0)
    assert ids(do(store, select=["encoder:bert"], sort="test/ndcg@10")[0]) == [weak.run_id, strong.run_id]
    assert ids(do(store, sort="-test")[0]) == [run.run_id for run in (strong, other, weak, broken)]
    assert ids(do(store, tag="mine")[0]) == [other.run_id]
    assert ids(do(store, select=["status:failed"])[0]) == [broken.run_id]
    with pytest.raises(ConfigError, match=r"sort=size: no run has 'size'. Give one of id, name, seed"):
        sort_runs([weak], "size")


def test_folders_without_a_record_are_listed_too(store):
    with store.lock("aaaaaaaaaaaa"):
        text, _ = do(store)
    assert text.strip() == "aaaaaaaaaaaa is being made."
    assert do(store)[0].strip() == "aaaaaaaaaaaa is unfinished: its command continues it."


def test_a_run_may_be_called_by_the_beginning_of_its_id(store):
    run = made_run(store, "bert", "dot", 0, [1.0], run_id="abcd00000000")
    assert "bert+dot" in do(store, action="show", run="abcd")[0]
    made_run(store, "bert", "dot", 1, [1.0], run_id="abcd11111111")
    with pytest.raises(ConfigError, match="run=abcd is the beginning of abcd00000000, abcd11111111"):
        do(store, action="show", run="abcd")
    assert run.run_id in do(store, action="show", run="abcd00000000")[0]
    for wrong, hint in {"zzzz": "; recsys runs", "abc": "; the beginning of an id needs at least 4", "..": ""}.items():
        with pytest.raises(ConfigError, match=f"is no run in {store.root}{hint}"):
            do(store, action="show", run=wrong)
    with pytest.raises(ConfigError, match="needs run="):
        do(store, action="show")


def test_a_failed_run_is_shown_with_its_traceback(store):
    run = failed_run(store, "gpt2", "dot", 0)
    assert "RuntimeError: out of memory" in do(store, action="show", run=run.run_id)[0]


def test_a_difference_has_settings_versions_and_metrics(store):
    one = made_run(store, "bert", "dot", 0, [0.5], config={"rate": 0.1}, versions={"torch": "2"}, tags=["a"])
    other = made_run(store, "bert", "dot", 1, [0.25], config={"rate": 0.2}, versions={"torch": "3"})
    assert config_differences(one, other) == ({"rate": (0.1, 0.2)}, {})
    lines = [line.split() for line in do(store, action="diff", run=one.run_id, other=other.run_id)[0].splitlines()]
    for line in (["rate", "0.1", "0.2"], ["torch", "2", "3"], ["test/ndcg@10", "0.5000", "0.2500", "−0.2500"]):
        assert line in lines


def test_runs_of_two_protocols_are_diffed_with_a_warning(store):
    one = made_run(store, "bert", "dot", 0, [0.5])
    other = made_run(store, "bert", "dot", 0, [0.5], protocol={"data": {"name": "another"}})
    assert "must not be compared" in do(store, action="diff", run=one.run_id, other=other.run_id)[0]


def test_deletion_is_said_before_it_is_done(store):
    gone, kept = made_run(store, "bert", "dot", 0, [0.5]), made_run(store, "tfidf", "dot", 0, [0.5])
    text, status = do(store, action="delete", select=["encoder:bert"])
    assert gone.run_id in text
    assert "confirm=true deletes 1 run" in text
    assert status == 0
    assert len(store.ids()) == 2
    assert do(store, action="delete", select=["encoder:bert"], confirm=True)[1] == 0
    assert [path.name for path in store.root.iterdir()] == [kept.run_id]


def test_deletion_wants_to_know_which(store):
    made_run(store, "bert", "dot", 0, [0.5])
    with pytest.raises(ConfigError, match="needs to know which runs"):
        do(store, action="delete", confirm=True)
    assert len(store.ids()) == 1


def test_a_run_that_is_being_made_stays_and_the_rest_goes(store):
    busy, gone = made_run(store, "bert", "dot", 0, [0.5]), made_run(store, "bert", "dot", 1, [0.5])
    with store.lock(busy.run_id):
        text, status = do(store, action="delete", select=["encoder:bert"], confirm=True)
    assert status == 1
    assert f"{busy.run_id} is being made" in text
    assert store.ids() == [busy.run_id]
    assert not store.folder(gone.run_id).exists()


def test_what_a_killed_run_left_can_be_deleted_by_its_id(store):
    with store.lock("aaaaaaaaaaaa"):
        pass
    for keys in ({"select": ["aaaaaaaaaaaa"]}, {"run": "aaaaaaaaaaaa"}):
        assert "1 run" in do(store, action="delete", **keys)[0]
    do(store, action="delete", run="aaaaaaaaaaaa", confirm=True)
    assert not store.folder("aaaaaaaaaaaa").exists()


def test_exported_columns_have_one_type_and_constant_settings_are_left_out(store):
    settings = [{"dim": 8, "rate": 1, "layers": [4]}, {"dim": 8, "rate": 0.5, "layers": None, "only": True}]
    runs = [
        made_run(store, "bert", "dot", 0, [0.5], config=own, run_id=f"{'ab'[i]}" * 12) for i, own in enumerate(settings)
    ]
    frame = runs_frame(runs)
    assert frame["run_id"].to_list() == ["a" * 12, "b" * 12]
    assert "config.dim" not in frame.columns
    assert frame["config.rate"].to_list() == [1.0, 0.5]
    assert frame["config.layers"].to_list() == ["[4]", None]
    assert frame["config.only"].to_list() == [None, True]
    assert frame["test/ndcg@10"].to_list() == [0.5, 0.5]
    assert frame["seconds.fit"].to_list() == [10.0, 10.0]


def test_all_runs_are_exported_with_the_failed_ones(store, tmp_path):
    made_run(store, "bert", "dot", 0, [0.5, 1.0])
    failed_run(store, "gpt2", "dot", 0)
    expected = runs_frame(store.records())
    for reader, name in ((pl.read_parquet, "all.parquet"), (pl.read_csv, "all.csv")):
        do(store, action="export", output=str(tmp_path / name))
        found = reader(tmp_path / name)
        assert found.columns == expected.columns
        assert found["error"].drop_nulls().to_list() == ["RuntimeError: out of memory"]
    with pytest.raises(ConfigError, match=r"ends in \.parquet, \.csv, \.duckdb"):
        do(store, action="export", output="all.xlsx")


def test_duckdb_has_the_runs_and_their_queries_and_keeps_other_tables(store, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "all.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table mine as select 1 as a")
    made_run(store, "bert", "dot", 0, [0.5, 1.0])
    made_run(store, "bert", "dot", 1, [0.0, 0.5])
    for _ in range(2):
        do(store, action="export", output=str(path))
    query = 'select seed, avg(p."ndcg@10") from runs join per_user p using (run_id) group by seed order by seed'
    with duckdb.connect(str(path)) as connection:
        assert connection.execute(query).fetchall() == [(0, 0.75), (1, 0.25)]
        assert connection.execute("select a from mine").fetchall() == [(1,)]


def test_a_missing_duckdb_is_told_with_what_to_install(store, tmp_path, monkeypatch):
    made_run(store, "bert", "dot", 0, [0.5])
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "duckdb":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'recsys-experiments\[duckdb\]'"):
        do(store, action="export", output=str(tmp_path / "all.duckdb"))


def test_numbers_are_equal_close_or_different():
    nan = float("nan")
    one = {"a": 0.5, "b": nan, "c": 0.5, "d": 0.5, "e": nan, "f": 1.0}
    other = {"a": 0.5, "b": nan, "c": 0.5 + 5e-7, "d": 0.5 + 2e-6, "e": 0.5}
    assert compare_numbers(one, other) == {
        **{"a": EQUAL, "b": EQUAL, "c": CLOSE},
        **{"d": DIFFERS, "e": DIFFERS, "f": DIFFERS},
    }


def test_values_of_queries_are_as_good_as_their_worst():
    keys = {"query": [0, 1], "user": ["a", "b"], "n_history": [1, 1], "n_positives": [1, 1]}
    one = pl.DataFrame({**keys, "x": [0.5, 0.5], "y": [0.5, 0.5]})
    other = pl.DataFrame({**keys, "x": [0.5, 0.5], "y": [0.5, 0.6], "z": [0.0, 0.0]})
    assert compare_queries(one, other) == {
        "per query: x": EQUAL,
        "per query: y": DIFFERS,
        "per query: z": DIFFERS,
    }
    assert compare_queries(one, other.with_columns(user=pl.Series(["b", "a"]))) == {"per query": DIFFERS}


def test_a_failed_run_is_not_reproduced(store):
    run = failed_run(store, "gpt2", "dot", 0)
    with pytest.raises(ConfigError, match=f"run={run.run_id} failed"):
        do(store, action="reproduce", run=run.run_id)
    assert json.loads((store.folder(run.run_id) / "record.json").read_text())["status"] == "failed"
