import multiprocessing
import shutil
from pathlib import Path

import pytest

from recsys.data.dataset_cache import cached_fingerprint, load_dataset
from recsys.data.sources.mind import MindSource
from recsys.data.sources.movielens import MovieLensSource
from recsys.data.sources.synthetic import SyntheticSource
from recsys.schema import StoreError

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def release(tmp_path) -> Path:
    return Path(shutil.copytree(FIXTURES / "ml-csv", tmp_path / "release"))


def entries(cache: Path) -> list[Path]:
    return list((cache / "data").iterdir())


@pytest.mark.parametrize("source", [MovieLensSource(str(FIXTURES / "ml-100k")), MindSource(str(FIXTURES / "mind"))])
def test_what_is_kept_is_what_was_read(source, tmp_path, monkeypatch):
    first = load_dataset(source, tmp_path)
    monkeypatch.setattr(source, "read", lambda: pytest.fail("read again"), raising=False)
    second = load_dataset(source, tmp_path)
    for name in ("interactions", "items", "users", "impressions"):
        kept, read = getattr(second, name), getattr(first, name)
        assert (kept is None and read is None) or (kept.equals(read) and kept.schema == read.schema)
    assert (second.name, second.dropped, second.fingerprint) == (first.name, first.dropped, first.fingerprint)


def test_the_fingerprint_is_known_without_reading(release, tmp_path, monkeypatch):
    source = MovieLensSource(str(release))
    assert cached_fingerprint(source, tmp_path) is None
    fingerprint = load_dataset(source, tmp_path).fingerprint
    monkeypatch.setattr(source, "read", lambda: pytest.fail("read again"))
    assert cached_fingerprint(source, tmp_path) == fingerprint


def test_other_content_or_another_parameter_is_another_entry(release, tmp_path):
    first = load_dataset(MovieLensSource(str(release)), tmp_path)
    other = load_dataset(MovieLensSource(str(release), template="{title}"), tmp_path)
    ratings = release / "ratings.csv"
    ratings.write_text(ratings.read_text().replace("1,1,4.5,", "1,1,4.0,"))
    changed = load_dataset(MovieLensSource(str(release)), tmp_path)
    assert len({first.fingerprint, other.fingerprint, changed.fingerprint}) == len(entries(tmp_path)) == 3


def test_the_same_content_elsewhere_is_the_same_entry(release, tmp_path):
    load_dataset(MovieLensSource(str(release)), tmp_path)
    load_dataset(MovieLensSource(str(FIXTURES / "ml-csv")), tmp_path)
    assert len(entries(tmp_path)) == 1


def damage_manifest(entry: Path) -> None:
    (entry / "manifest.json").write_text("{")


def empty_manifest(entry: Path) -> None:
    (entry / "manifest.json").write_text("{}")


def cut_parquet(entry: Path) -> None:
    content = (entry / "items.parquet").read_bytes()
    (entry / "items.parquet").write_bytes(content[: len(content) // 2])


def remove_parquet(entry: Path) -> None:
    (entry / "users.parquet").unlink()


def swap_parquet(entry: Path) -> None:
    shutil.copy(entry / "users.parquet", entry / "items.parquet")


@pytest.mark.parametrize("damage", [damage_manifest, empty_manifest, cut_parquet, remove_parquet, swap_parquet])
def test_a_damaged_entry_is_made_again(damage, tmp_path, caplog):
    source = SyntheticSource(20, 40, 100)
    first = load_dataset(source, tmp_path)
    damage(entries(tmp_path)[0])
    again = load_dataset(source, tmp_path)
    assert again.items.equals(first.items)
    assert "is damaged: the raw data is read again" in caplog.text
    caplog.clear()
    assert load_dataset(source, tmp_path).fingerprint == first.fingerprint
    assert not caplog.text
    assert len(entries(tmp_path)) == 1


def test_a_source_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    source = SyntheticSource(20, 40, 100)
    monkeypatch.setattr("polars.DataFrame.write_parquet", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(StoreError, match="disk full"):
        load_dataset(source, tmp_path)
    assert not entries(tmp_path)


def _load(cache: Path, barrier, queue) -> None:
    barrier.wait()
    queue.put(load_dataset(SyntheticSource(1_000, 500, 20_000), cache).fingerprint)


@pytest.mark.slow
def test_two_processes_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [context.Process(target=_load, args=(tmp_path, barrier, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = {queue.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
    assert found == {SyntheticSource(1_000, 500, 20_000).read().fingerprint}
    assert len(entries(tmp_path)) == 1
