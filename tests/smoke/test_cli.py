"""The commands as a user types them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import SCRIPTS, run
from in_process import call

HEAVY = ("torch", "pytorch_lightning", "transformers", "sklearn", "altair", "vl_convert", "wandb")


SCRIPT_NAMES = [path.stem for path in SCRIPTS.glob("*.py")]


def test_help_imports_nothing_heavy(tmp_path):
    code = f"""
import runpy, sys
for script in {SCRIPT_NAMES}:
    sys.argv = [script, "--help"]
    try:
        runpy.run_path(f"{SCRIPTS}/{{script}}.py", run_name="__main__")
    except SystemExit:
        pass
    print(script, "HEAVY", [name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    for script in SCRIPT_NAMES:
        assert f"{script} HEAVY []" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("Usage: recsys ") == len(SCRIPT_NAMES)


def test_train_then_train_again_then_evaluate(small_data, tmp_path, cache_dir):
    first = run("train", *small_data, "encoder=tfidf", "ranker=dot", cwd=tmp_path, cache=cache_dir)
    assert first.returncode == 0, first.stderr
    assert "ndcg" in first.stdout
    folder = re.search(r"Run: (\S+)", first.stdout)[1]
    assert sorted(path.name for path in (tmp_path / folder).iterdir() if not path.name.startswith(".")) == [
        "metrics",
        "model.safetensors",
        "per_user.parquet",
        "record.json",
    ]
    second = run("train", *small_data, "encoder=tfidf", "ranker=dot", cwd=tmp_path, cache=cache_dir)
    found = re.search(
        r"\nFound: this run was made on \d{4}-\d\d-\d\d at \d\d:\d\d UTC; rerun=true makes it again\.", second.stdout
    )
    assert second.stdout.replace(found[0], "") == first.stdout
    assert "Found" not in first.stdout
    again = run("evaluate", f"run={Path(folder).name}", cwd=tmp_path, cache=cache_dir)
    assert again.returncode == 0, again.stderr
    assert re.search(r"\n0 of \d+ metrics differ", again.stdout)


@pytest.mark.slow
def test_multirun_makes_each_run_and_finds_what_is_there(small_data, tmp_path, cache_dir):
    sweep = ["-m", *small_data, "encoder=none", "ranker=cf", "seed=0,1"]
    done = run("train", *sweep, cwd=tmp_path, cache=cache_dir)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == 2
    compared = run("compare", "report_metrics=[ndcg@10]", "formats=[md]", cwd=tmp_path, cache=cache_dir)
    assert compared.returncode == 0, compared.stderr
    assert "2 seeds" in compared.stdout


@pytest.mark.slow
def test_a_study_ends_in_a_table_and_a_report_and_is_found_again(small_data, tmp_path, cache_dir):
    quoted = ",".join(f'"{override}"' for override in small_data if "template" not in override)
    study = [
        f"study.common=[{quoted}]",
        "study=default",
        "study.grid={encoder: [tfidf, random], ranker: [dot]}",
        'study.baselines=[["ranker=popularity"]]',
        "study.seeds=[0, 1]",
        "study.name=mini",
    ]
    study[0] = study[0][:-1] + ",\"data.items.template='{title}'\"]"
    planned = run("study", *study, "dry_run=true", cwd=tmp_path, cache=cache_dir)
    assert planned.returncode == 0, planned.stderr
    assert "6 runs to do, 1 at a time" in planned.stdout
    first = run("study", *study, cwd=tmp_path, cache=cache_dir)
    assert first.returncode == 0, first.stderr
    assert "6 runs made and 0 found" in first.stdout
    report = tmp_path / "runs" / "reports" / "mini"
    files = {"report.html", "report.md", "table.csv", "pairs.csv", "segments.csv", "table.tex", "figures"}
    files |= {"methods.txt", "references.bib"}
    assert {path.name for path in report.iterdir()} == files
    assert "tfidf+dot" in (report / "report.md").read_text()
    second = run("study", *study, "formats=[md]", cwd=tmp_path, cache=cache_dir)
    assert "0 runs made and 6 found" in second.stdout


@pytest.mark.slow
def test_a_failing_run_is_listed_and_the_others_go_on(small_data, tmp_path, cache_dir):
    quoted = ",".join(f'"{override}"' for override in small_data if "template" not in override)
    study = [
        f"study.common=[{quoted},\"data.items.template='{{title}}'\"]",
        "study.grid={encoder: [tfidf], ranker: [dot]}",
        "+study.grid.learning_rate=[1.0e-3, 1.0e+38]",
        'study.baselines=[["ranker=popularity"]]',
        "study.seeds=[0]",
        "study.name=fails",
        "formats=[md]",
    ]
    done = run("study", *study, cwd=tmp_path, cache=cache_dir)
    assert done.returncode == 1
    assert "1 run failed" in done.stdout
    assert "diverged" in done.stdout
    assert "popularity" in done.stdout


def test_prepare_data_prints_statistics(tmp_path, cache_dir):
    done = run("prepare_data", cwd=tmp_path, cache=cache_dir)
    assert done.returncode == 0, done.stderr
    for fact in ("671", "9,066", "100,004", "tied cuts"):
        assert fact in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ranker=dot", "encoder=none"], "neither text nor"),
        (["split.test_share=2"], "split.test_share is 2"),
        (["data=table", "data.path=nowhere", "data.interactions.file=a.csv", "split=random"], "data.path"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_without_a_traceback(arguments, message, tmp_path):
    done = call("train", [*arguments, f"paths.runs_dir={tmp_path}"])
    assert done.status == 2
    assert message in done.error
    assert "Traceback" not in done.error


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("encoder=brt", "encoder=brt is not an option; expected one of bert, "),
        ("encoder.stop_word=red", "encoder.stop_word is an unknown key; did you mean stop_words?"),
        ("seed=[1", "seed=[1 cannot be read: a bracket is not closed"),
        ("help", "help cannot be read: expected key=value"),
        ("--seed=1", "--seed=1 is not an option; keys have no dashes: write seed=1"),
        ("--seed", "--seed is not an option; keys have no dashes: write seed=…"),
        ("seed=${nope}", "seed: Interpolation key 'nope' not found"),
    ],
)
def test_a_typing_error_is_one_sentence(argument, message):
    done = call("train", [argument])
    assert done.status == 2
    assert done.error.startswith(f"error: {message}")
    assert done.error.count("\n") == 1


def test_update_readme_wants_a_study_that_was_made(tmp_path, cache_dir):
    (tmp_path / "README.md").write_text("<!-- mine table: begin -->\n<!-- mine table: end -->\n")
    done = run("update_readme", "block=mine", "report_metrics=[ndcg@10]", cwd=tmp_path, cache=cache_dir)
    assert done.returncode == 2
    assert "there is no study 'mine' in runs" in done.stderr


@pytest.mark.slow
def test_nothing_is_written_outside_the_store_and_the_cache(small_data, tmp_path, cache_dir):
    done = run("train", *small_data, "encoder=none", "ranker=cf", cwd=tmp_path, cache=cache_dir)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
