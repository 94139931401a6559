from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from recsys.schema import BusyError, RecsysError
from recsys.tracking.checksums import checksum
from recsys.tracking.record import FAILED, Record
from recsys.tracking.store import Store

PER_USER = pl.DataFrame(
    {"query": [1, 0], "user": ["b", "a"], "n_history": [3, 2], "n_positives": [1, 1], "ndcg@10": [0.5, 1.0]}
)


def make_record(run_id: str = "aaaaaaaaaaaa", **changes: object) -> Record:
    return replace(Record(run_id, "dot", {}, {"seed": 0}, [], 0, {"data": "toy"}), **changes)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


@pytest.fixture
def not_root():
    """Root may write anywhere; as another user for the time of a test, the system's refusals are real."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield
    if is_root:
        os.seteuid(0)


def test_a_saved_run_is_found(store):
    record = make_record(metrics={"test/ndcg@10": 0.75})
    assert store.find(record.run_id) is None
    assert store.records() == []
    store.save(record, PER_USER)
    assert store.find(record.run_id) == record
    assert store.per_user(record.run_id)["user"].to_list() == ["a", "b"]  # ordered by query
    assert store.per_user(record.run_id, ["query", "ndcg@10", "mrr"]).columns == ["query", "ndcg@10"]
    assert sorted(path.name for path in store.folder(record.run_id).iterdir()) == ["per_user.parquet", "record.json"]


def test_a_run_without_a_record_is_not_done(store):
    store.save(make_record("bbbbbbbbbbbb", status=FAILED, error="ValueError: no"))
    (store.root / "cccccccccccc").mkdir()
    (store.root / "reports").mkdir()
    assert [record.run_id for record in store.records()] == ["bbbbbbbbbbbb"]
    assert store.find("cccccccccccc") is None


def test_a_damaged_record_is_named_and_stops_only_itself(store, caplog):
    store.save(make_record(), PER_USER)
    path = store.folder("aaaaaaaaaaaa") / "record.json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecsysError, match=str(path)):
        store.find("aaaaaaaaaaaa")
    assert store.records() == []
    assert str(path) in caplog.text


def test_missing_or_damaged_values_per_user_are_named(store):
    store.save(make_record())
    path = store.folder("aaaaaaaaaaaa") / "per_user.parquet"
    with pytest.raises(RecsysError, match=str(path)):
        store.per_user("aaaaaaaaaaaa")
    path.write_bytes(b"PAR1")
    with pytest.raises(RecsysError, match=str(path)):
        store.per_user("aaaaaaaaaaaa")


def test_a_changed_file_is_named_and_not_read(store):
    record = store.save(make_record(), PER_USER)
    path = store.folder(record.run_id) / "per_user.parquet"
    assert store.is_whole(record)
    PER_USER.with_columns(pl.lit(0.9).alias("ndcg@10")).write_parquet(path)  # whole, but of other values
    assert not store.is_whole(record)
    with pytest.raises(RecsysError, match=rf"{path} is damaged: its checksum .* rerun=true"):
        store.per_user(record.run_id)
    path.unlink()
    assert not store.is_whole(record)


def test_weights_may_be_missing_but_not_changed(store, caplog):
    record = store.save(make_record(checksums={"model.safetensors": checksum(b"weights")}))
    path = store.folder(record.run_id) / "model.safetensors"
    assert store.is_whole(record)
    path.write_bytes(b"weights")
    assert store.is_whole(record)
    path.write_bytes(b"weighty")
    assert not store.is_whole(record)
    assert str(path) in caplog.text


def test_values_per_user_need_their_keys(store):
    with pytest.raises(ValueError, match="n_history"):
        store.save(make_record(), PER_USER.drop("n_history"))


def test_tags_are_added_once(store):
    store.save(make_record(tags=["a"]), PER_USER)
    tagged = store.tag(make_record(tags=["a"]), ["b", "a"])
    assert tagged.tags == ["a", "b"]
    assert store.find("aaaaaaaaaaaa") == tagged
    assert store.per_user("aaaaaaaaaaaa").height == 2


def test_a_store_that_cannot_be_written_is_named(tmp_path, not_root):
    store = Store(Path("/sys/runs"))
    for write in (lambda: store.save(make_record(), PER_USER), lambda: store.lock("aaaaaaaaaaaa").__enter__()):
        with pytest.raises(RecsysError, match=r"cannot write /sys/runs.*paths\.runs_dir"):
            write()


READER = """
import os
from pathlib import Path
from recsys.schema import BusyError, RecsysError
from recsys.tracking.store import Store
store = Store(Path("."))
if os.geteuid() == 0:
    os.seteuid(65534)
record = store.find("aaaaaaaaaaaa")
assert record.run_id == "aaaaaaaaaaaa" and store.per_user(record.run_id).height == 2
try:
    store.save(record)
except RecsysError as error:
    print(error)
"""


def test_a_read_only_store_keeps_what_it_has_and_can_be_read(tmp_path):
    Store(tmp_path).save(make_record(), PER_USER)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    tmp_path.chmod(0o755)
    (tmp_path / "aaaaaaaaaaaa").chmod(0o555)
    done = subprocess.run([sys.executable, "-c", READER], cwd=tmp_path, capture_output=True, text=True, check=True)
    (tmp_path / "aaaaaaaaaaaa").chmod(0o755)
    assert done.stdout.startswith("cannot write aaaaaaaaaaaa/record.json: Permission denied.")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_full_disk_leaves_what_was_there(store):
    first = make_record()
    store.save(first, PER_USER)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # a write beyond 100 bytes fails, as on a full disk
    try:
        with pytest.raises(RecsysError, match=r"cannot write .*record\.json.*space"):
            store.save(replace(first, name="changed"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.find(first.run_id) == first
    assert sorted(path.name for path in store.folder(first.run_id).iterdir()) == ["per_user.parquet", "record.json"]


HOLDER = """
import sys, time
from pathlib import Path
from recsys.tracking.store import Store
with Store(Path(sys.argv[1])).lock("aaaaaaaaaaaa"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
    (Path(sys.argv[1]) / "done").touch()
"""


def hold(store: Store, seconds: float) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.root), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_two_processes_do_not_make_the_same_run(store):
    process = hold(store, 0.5)
    with store.lock("bbbbbbbbbbbb"):  # another run is free
        assert not (store.root / "done").exists()
    with store.lock("aaaaaaaaaaaa"):
        assert (store.root / "done").exists()  # it waited for the other to end
    assert process.wait(10) == 0


def test_the_lock_of_a_killed_process_is_free(store):
    process = hold(store, 60)
    process.kill()
    process.wait(10)
    start = time.perf_counter()
    with store.lock("aaaaaaaaaaaa"):
        assert time.perf_counter() - start < 5
    with store.lock("aaaaaaaaaaaa"):
        pass  # and it was given back


def test_a_failure_inside_the_lock_is_not_taken_for_one_of_the_store(store):
    with pytest.raises(OSError, match="of the run"), store.lock("aaaaaaaaaaaa"):
        raise OSError("of the run")


@pytest.mark.slow
def test_two_hundred_records_are_read_in_a_moment(store):
    config = {f"key{number}": {"a": number, "b": "text"} for number in range(60)}
    metrics = {f"test/metric{number}@10": 0.123456789 for number in range(60)}
    for number in range(200):
        make_record(f"{number:012x}", config=config, metrics=metrics).write(
            store.folder(f"{number:012x}") / "record.json"
        )
    start = time.perf_counter()
    assert len(store.records()) == 200
    assert time.perf_counter() - start < 3


def test_runs_without_a_record_are_told_and_those_being_made_among_them(store):
    store.save(make_record())
    process = hold(store, 60)  # the run that has a record already, as with rerun=true
    with store.lock("bbbbbbbbbbbb"):
        assert store.is_locked("bbbbbbbbbbbb")
    assert store.ids() == ["aaaaaaaaaaaa"]
    assert store.unrecorded() == ["bbbbbbbbbbbb"]
    assert [store.is_locked(run_id) for run_id in ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc")] == [
        True,
        False,
        False,
    ]
    process.kill()
    process.wait(10)


def test_a_run_that_is_being_made_is_not_deleted(store):
    store.save(make_record())
    process = hold(store, 60)
    with pytest.raises(BusyError):
        store.delete("aaaaaaaaaaaa")
    assert store.ids() == ["aaaaaaaaaaaa"]
    process.kill()
    process.wait(10)
    store.delete("aaaaaaaaaaaa")
    assert list(store.root.iterdir()) == []


def test_who_waits_for_a_run_that_is_then_deleted_locks_the_new_folder(store):
    """Else it would hold a file that is gone, and a third process could make the same run at the same time."""
    got = []

    def wait() -> None:
        with store.lock("aaaaaaaaaaaa"):
            got.append(store.is_locked("aaaaaaaaaaaa"))

    with store.lock("aaaaaaaaaaaa"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.2)
        shutil.rmtree(store.folder("aaaaaaaaaaaa"))
    waiting.join(10)
    assert got == [True]
