"""Lists of other programs as runs: the same numbers for the same lists, and a row like any other."""

from __future__ import annotations

import math

import polars as pl
import pytest
from full import FULL

import recsys
from recsys.commands import compare as compare_command
from recsys.commands import recommend as recommend_command
from recsys.commands import score as score_command
from recsys.experiment.evaluation import evaluate_again
from recsys.experiment.finished import Run
from recsys.experiment.run import run as make_run
from recsys.schema import ConfigError
from recsys.tracking.store import Store

K = 20


@pytest.fixture
def log(tmp_path) -> list[str]:
    """Six users with five items each; the last is the test, the one before validation."""
    rows = [(f"u{user}", f"i{(user + place) % 8}", 10 + place) for user in range(6) for place in range(5)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    frame.write_csv(tmp_path / "log.csv")
    return [
        "data=table",
        f"data.path={tmp_path}",
        "data.interactions.file=log.csv",
        "data.interactions.timestamp=timestamp",
        "split=leave_last_out",
        "metrics.top_k=[1,3]",
        "monitor=val/ndcg@3",
        "metrics.val=[ndcg@3]",
        f"paths.runs_dir={tmp_path / 'runs'}",
    ]


def scored(file, *overrides: str) -> Run:
    cfg = recsys.compose([f"file={file}", *overrides], "score")
    return make_run(score_command.run_config(cfg))


@pytest.mark.slow
def test_a_runs_own_lists_score_what_the_run_scored(cache_dir, tmp_path):
    """On the embedded data, with ties (popularity) and without."""
    places = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}"]
    for ranker in ("popularity", "ease" if FULL else "random_scores"):  # ease: 20 s on the whole catalogue
        own = recsys.run([f"ranker={ranker}", "trainer.enable_progress_bar=false", *places])
        file = tmp_path / f"{ranker}.csv"
        asked = [f"run={own.record.run_id}", "users=all", f"top_k={K}", f"output={file}", f"paths.runs_dir={tmp_path}"]
        recommend_command.run(recsys.compose(asked, "recommend"))
        again = scored(file, f"like={own.record.run_id}", *places)
        expected = {name: value for name, value in own.record.metrics.items() if name.startswith("test/")}
        assert math.isnan(again.record.metrics.pop("test/auc"))
        assert expected.pop("test/auc") > 0
        assert again.record.metrics == expected
        assert again.record.segments == own.record.segments
        assert again.record.protocol == own.record.protocol
        values, own_values = (Store(tmp_path).per_user(one.record.run_id).drop("auc") for one in (again, own))
        assert values.equals(own_values)


@pytest.mark.slow
def test_lists_are_scored_by_hand(log, tmp_path):
    """u0 finds its item (i4) second, u1 (i5) first after what it knew; u2's is too late; the others have no list."""
    file = tmp_path / "recs.csv"
    rows = ["u0,i7,1", "u0,i4,2", "u1,i1,1", "u1,i5,2", "u2,i0,1", "u2,i1,2", "u2,i7,3", "u2,i6,4", "nobody,i1,1"]
    file.write_text("\n".join(["user_id,item_id,rank", *rows]))
    run = scored(file, "name=LightFM", *log)
    metrics = run.record.metrics
    assert metrics["test/recall@1"] == pytest.approx(1 / 6)
    assert metrics["test/recall@3"] == pytest.approx(2 / 6)
    assert metrics["test/ndcg@3"] == pytest.approx((1 + 1 / math.log2(3)) / 6)
    assert run.record.name == "LightFM"
    facts = run.record.outside
    assert facts["users_without_list"] == 3
    assert facts["tested_users"] == 6
    assert facts["known_items_listed"] == 1
    assert facts["rows_of_unknown_users"] == 1
    told = " ".join(run.record.warnings)
    assert "LightFM: lists of another program, read from recs.csv (provenance unknown)" in told
    assert "3 of 6 tested users have no list and count as zero" in told
    assert "2 of 6 tested users have a list of fewer than 3 items that can be ranked, and the ranks that" in told
    assert "1 listed items are not ranked, since their users had them before the test" in told
    assert "fit" not in run.record.times
    again = evaluate_again(run)
    assert {name: value for name, value in again.items() if value == value} == {
        name: value for name, value in metrics.items() if value == value
    }


def test_metrics_that_need_longer_lists_are_not_measured(log, tmp_path):
    file = tmp_path / "recs.csv"
    file.write_text("user,item\nu0,i4\nu1,i5\n")
    run = scored(file, *log)
    missing = {name for name, value in run.record.metrics.items() if math.isnan(value)}
    assert missing >= {"test/auc", "test/ndcg@3", "test/coverage@3"}
    assert run.record.metrics["test/recall@1"] == pytest.approx(2 / 6)
    values = Store(tmp_path / "runs").per_user(run.record.run_id)
    assert values["ndcg@3"].is_nan().all()
    assert "lists of at most 1 items have no " in " ".join(run.record.warnings)


def test_whole_rankings_have_an_auc(log, tmp_path):
    """Every user's list has all other items; u0's test item is second of the four that it did not know."""
    known = {user: {f"i{(user + place) % 8}" for place in range(4)} for user in range(6)}
    lists = {
        user: [item for item in ("i7", "i4", "i5", "i6", "i0", "i1", "i2", "i3") if item not in known[user]]
        for user in known
    }
    rows = [f"u{user},{item},{place}" for user, items in lists.items() for place, item in enumerate(items)]
    file = tmp_path / "recs.csv"
    file.write_text("\n".join(["user,item,rank", *rows]))
    run = scored(file, *log)
    assert run.record.outside["users_without_list"] == 0
    values = Store(tmp_path / "runs").per_user(run.record.run_id).filter(pl.col("user") == "u0")
    assert values["auc"].item() == pytest.approx(2 / 3)
    assert not any("lists of at most" in warning for warning in run.record.warnings)


@pytest.mark.slow
def test_other_content_is_another_run_and_another_place_is_not(log, tmp_path):
    one, other = tmp_path / "recs.csv", tmp_path / "moved.csv"
    one.write_text("user,item\nu0,i4\n")
    first = scored(one, "name=mine", *log)
    other.write_bytes(one.read_bytes())
    assert scored(other, "name=mine", *log).record.created == first.record.created
    one.write_text("user,item\nu0,i5\n")
    assert scored(one, "name=mine", *log).record.run_id != first.record.run_id


@pytest.mark.slow
def test_lists_stand_beside_models_in_a_comparison(log, tmp_path, capsys):
    """Three seeds of another program are one cell, whose lists differ."""
    for seed in range(3):
        items = [f"u{user},i{(user + 4 + (user < seed)) % 8}" for user in range(6)]
        (tmp_path / f"recs-{seed}.csv").write_text("\n".join(["user,item", *items, "u0,i6", "u0,i7", "u0,i5"]))
        scored(tmp_path / f"recs-{seed}.csv", "name=LightFM", f"seed={seed}", *log)
        recsys.run(["ranker=random_scores", f"seed={seed}", "trainer.enable_progress_bar=false", *log])
    asked = [f"paths.runs_dir={tmp_path / 'runs'}", "report_metrics=[ndcg@3,recall@1,coverage@1]", "baseline=LightFM"]
    compare_command.run(recsys.compose([*asked, "formats=[md,pairs]"], "compare"))
    folder = tmp_path / "runs" / "reports" / "comparison"
    table = (folder / "report.md").read_text()
    assert "LightFM" in table
    assert "random_scores" in table
    assert "provenance unknown" in table
    pairs = pl.read_csv(folder / "pairs.csv")
    assert pairs.height


@pytest.mark.slow
def test_what_like_decides_is_not_set_again(log, tmp_path):
    file = tmp_path / "recs.csv"
    file.write_text("user,item\nu0,i4\n")
    first = scored(file, *log)
    with pytest.raises(ConfigError, match=r"split=random: like=.* sets this key as well"):
        scored(file, f"like={first.record.run_id}", "split=random", f"paths.runs_dir={tmp_path / 'runs'}")


def test_lists_need_a_file_and_a_name(tmp_path):
    with pytest.raises(ConfigError, match=r"ranker=lists needs ranker\.lists\.path, ranker\.name"):
        recsys.run(["ranker=lists", f"paths.runs_dir={tmp_path}"])
